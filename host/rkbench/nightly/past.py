"""The past of a suite's cells, out of its nights: what a gate on history is held against.

A night counts for a cell where it was accepted: no gate on that figure was crossed and the run was not
SUSPECT, or it was crossed and somebody accepted it since, which begins a new level.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from rkbench.errors import StoreError
from rkbench.results.model import SUSPECT, RunResult
from rkbench.results.night import CellResult, Epoch, GateResult, Night
from rkbench.stats.gates import FAIL
from rkbench.stats.history.repeats import shared_part
from rkbench.stats.history.usual import fit_usual
from rkbench.stats.history.verdicts import PastNights, look_back
from rkbench.store import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: A quarter of a year: the first nights of an epoch of which small steps lead away.
MOST_NIGHTS = 90
#: So many of the last nights tell how far two measurements of one night lie apart.
_NIGHTS_OF_PAIRS = 20

CellKey = tuple[str, str, str]


@dataclass(frozen=True)
class PastFigure:
    """What a night measured of one figure of one cell: the value, and the one of tonight's second
    measurement where one was made to know the scatter; whether it is `accepted`; whether somebody has to
    (`crossed`)."""

    value: float
    epoch: Epoch
    accepted: bool
    crossed: bool = False
    twice: float | None = None


@dataclass(frozen=True)
class Series:
    """One figure of one cell, a place a night (None: not measured), of its last epoch alone.

    `before`: the median of the epoch before, of its last accepted nights; `was` that epoch.
    """

    entries: tuple[PastFigure | None, ...]
    epoch: Epoch | None
    was: Epoch | None = None
    before: float | None = None

    @property
    def nights(self) -> int:
        """How many nights of the epoch were measured and accepted."""
        return sum(entry is not None and entry.accepted for entry in self.entries)

    @property
    def left_out(self) -> int:
        """How many were measured and not accepted."""
        return sum(entry is not None and not entry.accepted for entry in self.entries)


@dataclass(frozen=True)
class Pasts:
    """The past of every cell: `nights` (oldest first), and by figure the `cells`, a row each of `fitted`."""

    nights: tuple[Night, ...] = ()
    cells: Mapping[str, tuple[CellKey, ...]] = field(default_factory=dict)
    series: Mapping[tuple[str, CellKey], Series] = field(default_factory=dict)
    fitted: Mapping[str, PastNights] = field(default_factory=dict)
    pairs: Mapping[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)


def read_nights(store: Store, suite: str, tonight: str) -> tuple[tuple[Night, ...], tuple[str, ...]]:
    """Return the last nights of a suite but this one, the oldest first, and what could not be read."""
    nights, problems = [], []
    for night_id in store.nights(suite=suite, limit=MOST_NIGHTS + 1):
        if night_id == tonight:
            continue
        try:
            night = store.night(night_id)
        except StoreError as error:
            problems.append(f"no part of the history: {error.message}")
            continue
        if night is not None:
            nights.append(night)
    return tuple(reversed(nights)), tuple(problems)


def make_pasts(
    nights: Sequence[Night],
    asked: Mapping[str, Sequence[tuple[CellKey, bool]]],
    accepted: Mapping[tuple[CellKey, bool], str],
) -> Pasts:
    """Return the past of all cells that are `asked` of by figure; each with whether its board is virtual.

    `accepted` names the night that somebody accepted last for a cell.
    """
    count = sum(map(len, asked.values()))
    cells = {word: tuple(key for key, _ in keys) for word, keys in asked.items()}
    found = [{cell.key: cell for cell in night.cells} for night in nights]
    series, fitted, pairs = {}, {}, {}
    for word, keys in asked.items():
        rows = [_series(nights, found, word, key, accepted.get(key)) for key in keys]
        series.update({(word, key[0]): row for key, row in zip(keys, rows, strict=True)})
        pairs[word] = tuple(pair for row in rows for pair in _pairs(row))
        fitted[word] = _fitted(rows, pairs[word], count)
    return Pasts(tuple(nights), cells, series, fitted, pairs)


def epoch_of(run: RunResult) -> Epoch:
    """Return what the history of a run's cell hangs on."""
    return Epoch(
        runtime_version=run.board.runtime_version,
        driver_version=run.board.driver_version,
        kernel=run.board.kernel,
        toolkit_version=run.variant.toolkit_version,
        golden_sha256=run.plan.golden_sha256,
        runtime=run.plan.runtime,
        core_mask=run.plan.core_mask,
        other_sha256=run.plan.other_sha256,
    )


def is_same(one: Epoch, other: Epoch) -> bool:
    """Return whether nothing is known to differ."""
    pairs = ((getattr(one, item.name), getattr(other, item.name)) for item in fields(Epoch))
    return all(a == b for a, b in pairs if a is not None and b is not None)


def of_figure(cell: CellResult, word: str) -> list[GateResult]:
    """Return the gates of a cell on a figure, those on history first."""
    found = [gate for gate in cell.gates if gate.quantity == word]
    return sorted(found, key=lambda gate: gate.history is None)


def logarithms(rows: Sequence[Series], *, accepted: bool) -> NDArray[Any]:
    """Return the values of series (a row each, a column a night); NaN where there is none to count."""
    import numpy as np

    def value(entry: PastFigure | None) -> float:
        counts = entry is not None and (entry.accepted or not accepted)
        return math.log(entry.value) if entry is not None and counts else math.nan

    return np.array([[value(entry) for entry in row.entries] for row in rows], dtype=np.float64)


def _fitted(rows: Sequence[Series], pairs: Sequence[tuple[float, float]], count: int) -> PastNights:
    accepted, measured = (logarithms(rows, accepted=only) for only in (True, False))
    shares = shared_part(pairs, fit_usual(accepted).variance)
    return look_back(accepted, measured, shares, series=count)


def _pairs(row: Series) -> list[tuple[float, float]]:
    last = row.entries[-_NIGHTS_OF_PAIRS:]
    return [(math.log(item.value), math.log(item.twice)) for item in last if item and item.twice]


def _series(
    nights: Sequence[Night],
    cells: Sequence[Mapping[CellKey, CellResult]],
    word: str,
    key: tuple[CellKey, bool],
    accepted_in: str | None,
) -> Series:
    """Return the series of a cell, of its last epoch alone; `cells` are those of each night."""
    there = [found.get(key[0]) for found in cells]
    entries = [_entry(night, cell, word, key[1]) for night, cell in zip(nights, there, strict=True)]
    first = 0
    for place, (night, entry) in enumerate(zip(nights, entries, strict=True)):
        if entry is not None and entry.crossed and night.id == accepted_in:
            first, entries[place] = place, PastFigure(entry.value, entry.epoch, True, twice=entry.twice)
    epoch, was = None, None
    for place in range(len(entries) - 1, -1, -1):
        found = entries[place]
        if found is None:
            continue
        if epoch is not None and not is_same(found.epoch, epoch):
            first, was = max(first, place + 1), found.epoch
            break
        epoch = found.epoch if epoch is None else _both(epoch, found.epoch)
    kept = tuple(entry if place >= first else None for place, entry in enumerate(entries))
    return Series(kept, epoch, was, _median(entries[:first]) if was is not None else None)


def _both(one: Epoch, other: Epoch) -> Epoch:
    """Return all that is known of an epoch."""
    names = [item.name for item in fields(Epoch)]
    return Epoch(**{name: getattr(one, name) or getattr(other, name) for name in names})


def _median(entries: Sequence[PastFigure | None]) -> float | None:
    from statistics import median

    told = [entry.value for entry in entries if entry is not None and entry.accepted][-20:]
    return median(told) if told else None


def _entry(night: Night, cell: CellResult | None, word: str, simulated: bool) -> PastFigure | None:
    if cell is None or cell.fault is not None or cell.simulated != simulated:
        return None
    gates = of_figure(cell, word)
    value = next((gate.measurements[0].value for gate in gates if gate.measurements), None)
    if value is None or not 0 < value < math.inf:
        return None
    crossed = any(gate.state == FAIL for gate in gates) or _is_in_red_pool(night, word, cell.key)
    twice = next((gate.history.twice for gate in gates if gate.history), None)
    doubtful = cell.verdict == SUSPECT
    return PastFigure(
        value, cell.epoch or _epoch_of_board(night, cell.board), not (crossed or doubtful), crossed, twice
    )


def _is_in_red_pool(night: Night, word: str, key: CellKey) -> bool:
    variant, board, plan = key
    return any(
        (item.variant, item.plan, item.result.quantity, item.result.state) == (variant, plan, word, FAIL)
        and board in item.boards
        for item in night.pooled
    )


def _epoch_of_board(night: Night, board: str) -> Epoch:
    """Return what is known of nights before cells had an epoch."""
    report = next((item for item in night.boards if item.name == board), None)
    if report is None:
        return Epoch()
    return Epoch(report.runtime_version, report.driver_version, report.kernel)
