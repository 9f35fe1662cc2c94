"""The gates of nights, for the page of a report: what was red first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rkbench.results.night import Night
from rkbench.stats.gates import CANNOT_TELL, FAIL, NOT_MEASURED, PASS, State
from rkbench.views.nightly.sentences import faults, gate_line, gates_in, headline
from rkbench.views.push.table import Tone

_STATES: tuple[tuple[State, str, Tone], ...] = (
    (FAIL, "crossed", Tone.BAD),
    (NOT_MEASURED, "not measured", Tone.BAD),
    (CANNOT_TELL, "cannot tell", Tone.EVEN),
    (PASS, "kept", Tone.PLAIN),
)


@dataclass(frozen=True)
class GateRow:
    """One gate of one cell: its state in a word, with the tone of it, and the sentence."""

    state: str
    tone: Tone
    text: str


@dataclass(frozen=True)
class NightGates:
    """A night's gates. `failed`: what was not measured at all, and why."""

    night: str
    headline: str
    rows: tuple[GateRow, ...]
    failed: tuple[str, ...]


def gates_of(nights: Sequence[Night]) -> tuple[NightGates, ...]:
    """Return the gates of each night, those that are crossed first."""
    return tuple(
        NightGates(
            night.id,
            headline(night),
            tuple(
                GateRow(word, tone, gate_line(cell, gate))
                for state, word, tone in _STATES
                for cell, gate in gates_in(night, state)
            ),
            tuple(faults(night)),
        )
        for night in nights
    )
