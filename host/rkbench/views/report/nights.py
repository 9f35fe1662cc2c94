"""The gates of nights, for the page of a report: what was red first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rkbench.results.night import Night
from rkbench.stats.gates import CANNOT_TELL, FAIL, NOT_MEASURED, PASS, State
from rkbench.views.nightly.sentences import faults, gate_line, gates_in, headline
from rkbench.views.push.table import Tone

_STATES: tuple[tuple[State, str, Tone], ...] = (
    (FAIL, "crossed", Tone.BAD),
    (NOT_MEASURED, "not measured", Tone.BAD),
    (CANNOT_TELL, "cannot tell", Tone.EVEN),
)


@dataclass(frozen=True)
class GateRow:
    """One gate of one cell: its state in a word, with the tone of it, and the sentence."""

    state: str
    tone: Tone
    text: str


@dataclass(frozen=True)
class NightGates:
    """A night's gates: those that ask for a look, those that were kept; `failed` says what, and why."""

    night: str
    headline: str
    rows: tuple[GateRow, ...]
    kept: tuple[GateRow, ...]
    failed: tuple[str, ...]


def gates_of(nights: Sequence[Night]) -> tuple[NightGates, ...]:
    """Return the gates of each night, those that are crossed first."""
    return tuple(
        NightGates(
            night.id,
            headline(night),
            tuple(row for state, word, tone in _STATES for row in _rows(night, state, word, tone)),
            tuple(_rows(night, PASS, "kept", Tone.PLAIN)),
            tuple(faults(night)),
        )
        for night in nights
    )


def _rows(night: Night, state: State, word: str, tone: Tone) -> Iterator[GateRow]:
    for cell, gate in gates_in(night, state):
        yield GateRow(word, tone, gate_line(cell, gate))
