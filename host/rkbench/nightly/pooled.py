"""The end of a night with gates on history: models over all boards of a SoC, scatter, epochs that began."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from rkbench.nightly.by_history import STATES, against, with_since
from rkbench.nightly.cells import Cell
from rkbench.nightly.past import CellKey, Pasts, Series, is_same, logarithms, of_figure
from rkbench.results.night import (
    CellResult,
    ConditionChange,
    Epoch,
    EpochBegun,
    GateResult,
    Night,
    PooledGate,
    Scatter,
)
from rkbench.stats.gates import Gate
from rkbench.stats.history.pool import FEWEST_BOARDS, RED_POOLS, judge_pool, pool
from rkbench.stats.history.usual import FEWEST_NIGHTS, REFERENCE_NIGHTS
from rkbench.stats.history.verdicts import NOT_ENOUGH_DATA, REGRESSION, Verdict, look_back
from rkbench.stats.judging import Judgement

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The words of what an epoch hangs on.
_WORDS = {
    "runtime_version": "runtime",
    "driver_version": "driver",
    "toolkit_version": "toolkit",
    "golden_sha256": "golden",
    "runtime": "runtime's name",
    "core_mask": "cores",
    "other_sha256": "model beside it",
}


@dataclass(frozen=True)
class _Pool:
    """The models that a SoC's boards ran by one plan, judged by one gate; `rows` by model and board."""

    gate: Gate
    soc: str
    plan: str
    boards: tuple[str, ...]
    models: tuple[Cell, ...]
    """A cell of each."""
    rows: Mapping[tuple[str, str], CellKey]


def with_history(night: Night, cells: Sequence[Cell], pasts: Pasts) -> Night:
    """Return a night, whose cells are all measured, with what they say together."""
    results = {cell.key: cell for cell in night.cells if cell.fault is None}
    pooled = [gate for group in _pools(cells) for gate in _judged(group, results, pasts)]
    return replace(
        night,
        pooled=tuple(pooled),
        scatter=tuple(_scatter(pasts)),
        epochs=tuple(_epochs(results, pasts)),
    )


def _pools(cells: Sequence[Cell]) -> list[_Pool]:
    grouped: dict[tuple[str, str, str], list[tuple[Gate, Cell]]] = defaultdict(list)
    for cell in cells:
        for gate in cell.gates:
            if gate.of_history and cell.board.soc:
                grouped[gate.text, cell.board.soc, cell.plan.name].append((gate, cell))
    found = []
    for (_, soc, plan), members in grouped.items():
        boards = tuple(dict.fromkeys(cell.board.name for _, cell in members))
        if len(boards) < FEWEST_BOARDS:
            continue
        models = {cell.variant: cell for _, cell in members}
        rows = {(cell.variant, cell.board.name): cell.key for _, cell in members}
        found.append(_Pool(members[0][0], soc, plan, boards, tuple(models.values()), rows))
    return found


def _judged(group: _Pool, results: Mapping[CellKey, CellResult], pasts: Pasts) -> list[PooledGate]:
    assert group.gate.within_percent is not None
    word, beyond = group.gate.quantity.word, group.gate.within_percent / 100
    values = pool(_table(group, results, pasts))
    past = look_back(values[:, :-1], values[:, :-1], red=RED_POOLS)
    found = []
    for place, cell in enumerate(group.models):
        verdict = judge_pool(past, place, float(values[place, -1]), beyond=beyond)
        if verdict.label == NOT_ENOUGH_DATA:
            continue
        history = against(verdict)
        if verdict.label == REGRESSION:
            history = with_since(history, pasts.nights, [float(value) for value in values[place]])
        told = Judgement(
            STATES[verdict.label],
            difference_percent=verdict.difference_percent,
            low_percent=verdict.low_percent,
            high_percent=verdict.high_percent,
        )
        unit = group.gate.quantity.unit.base
        result = GateResult(group.gate.text, word, unit, told.state, (told,), _detail(verdict), history)
        boards = tuple(board for board in group.boards if (cell.variant, board) in group.rows)
        simulated = any(results[key].simulated for key in group.rows.values() if key in results)
        found.append(PooledGate(cell.model, cell.variant, group.soc, group.plan, boards, simulated, result))
    return found


def _table(group: _Pool, results: Mapping[CellKey, CellResult], pasts: Pasts) -> NDArray[Any]:
    """Return logarithms (models x boards x nights), tonight last; NaN where there is none to count."""
    word = group.gate.quantity.word
    table = np.full((len(group.models), len(group.boards), len(pasts.nights) + 1), math.nan)
    for model, cell in enumerate(group.models):
        for place, board in enumerate(group.boards):
            key = group.rows.get((cell.variant, board))
            series = pasts.series.get((word, key)) if key else None
            if key is None or series is None:
                continue
            result = results.get(key)
            if result is not None and _goes_on(series, result):
                table[model, place, :-1] = logarithms([series], accepted=True)[0]
            value = _tonight(result, word)
            table[model, place, -1] = math.nan if value is None else math.log(value)
    return table


def _goes_on(series: Series, result: CellResult) -> bool:
    return series.epoch is None or result.epoch is None or is_same(series.epoch, result.epoch)


def _tonight(result: CellResult | None, word: str) -> float | None:
    gates = of_figure(result, word) if result is not None else []
    value = next((gate.measurements[0].value for gate in gates if gate.measurements), None)
    return value if value is not None and value > 0 else None


def _detail(verdict: Verdict) -> str:
    few = "" if verdict.nights >= REFERENCE_NIGHTS else f", {verdict.nights} of {REFERENCE_NIGHTS} nights"
    over = f" by the mean of the last {verdict.over_nights} nights" if verdict.over_nights > 1 else ""
    return f"{verdict.label}{over}{few}"


def _scatter(pasts: Pasts) -> Iterable[Scatter]:
    for word, past in pasts.fitted.items():
        known = int((past.usual.nights >= FEWEST_NIGHTS).sum())
        if known:
            deviation = math.sqrt(past.usual.variance) * 100
            yield Scatter(word, deviation, known, len(pasts.pairs[word]), past.shares)


def _epochs(results: Mapping[CellKey, CellResult], pasts: Pasts) -> Iterable[EpochBegun]:
    """Yield what began on which board, where a cell's epoch is younger than a reference."""
    found: dict[tuple[str, tuple[ConditionChange, ...]], list[tuple[int, float | None]]] = defaultdict(list)
    for (word, key), series in pasts.series.items():
        result = results.get(key)
        if result is None or result.epoch is None or series.epoch is None:
            continue
        begins = not is_same(series.epoch, result.epoch)
        was = series.epoch if begins else series.was
        nights = 0 if begins else series.nights
        if was is None or nights >= FEWEST_NIGHTS:
            continue
        before = _level(series) if begins else series.before
        value = _tonight(result, word)
        rise = None if value is None or before is None else (value / before - 1) * 100
        found[key[1], _changes(was, result.epoch)].append((nights, rise))
    for (board, changes), told in found.items():
        rises = [rise for _, rise in told if rise is not None]
        nights = max(count for count, _ in told)
        yield EpochBegun(board, changes, nights, len(told), median(rises) if rises else None)


def _level(series: Series) -> float | None:
    told = [entry.value for entry in series.entries if entry is not None and entry.accepted]
    return median(told[-REFERENCE_NIGHTS:]) if told else None


def _changes(was: Epoch, now: Epoch) -> tuple[ConditionChange, ...]:
    changes = []
    for item in fields(Epoch):
        old, new = getattr(was, item.name), getattr(now, item.name)
        if old is not None and new is not None and old != new:
            name = _WORDS.get(item.name, item.name)
            changes.append(ConditionChange(name, _short(item.name, old), _short(item.name, new), True))
    return tuple(changes)


def _short(name: str, value: str) -> str:
    return value[:12] if name == "golden_sha256" else value
