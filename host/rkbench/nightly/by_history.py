"""What the nights before say of a cell, and which cells are measured again at the end of the night."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from rkbench.nightly.past import CellKey, Pasts, epoch_of, is_same
from rkbench.results.collect import Collected
from rkbench.results.gating import value_of
from rkbench.results.model import RunResult
from rkbench.results.night import AgainstHistory, GateResult, Night
from rkbench.stats.gates import CANNOT_TELL, FAIL, PASS, Gate, State
from rkbench.stats.history.since import since_place
from rkbench.stats.history.usual import FEWEST_NIGHTS, REFERENCE_NIGHTS
from rkbench.stats.history.verdicts import (
    AGAIN,
    NO_REGRESSION,
    NOT_ENOUGH_DATA,
    REGRESSION,
    SUSPICIOUS,
    Label,
    PastNights,
    Verdict,
    is_suspect,
    judge_night,
)
from rkbench.stats.judging import Judgement

STATES: Mapping[Label, State] = {
    REGRESSION: FAIL,
    SUSPICIOUS: CANNOT_TELL,
    NO_REGRESSION: PASS,
    NOT_ENOUGH_DATA: CANNOT_TELL,
}
#: So many of the cells with a gate on history are measured twice, each night others.
MEASURED_TWICE = 0.05


@dataclass(frozen=True)
class ByHistory:
    """Judges the cells of one night by the nights before. `twice` are the cells that are measured once more
    only to know how far two measurements of one night differ."""

    pasts: Pasts = field(default_factory=Pasts)
    twice: frozenset[CellKey] = frozenset()

    def knows(self, key: CellKey, word: str) -> bool:
        """Return whether there are nights enough to judge a figure of a cell by."""
        series = self.pasts.series.get((word, key))
        return series is not None and series.nights >= FEWEST_NIGHTS

    def judged(
        self, gates: Sequence[Gate], results: Sequence[GateResult], key: CellKey, run: RunResult
    ) -> tuple[GateResult, ...]:
        """Return `results` with what the past says where gates ask for it, by tonight's first measurement."""
        return tuple(
            self._first(gate, result, key, run) if gate.of_history else result
            for gate, result in zip(gates, results, strict=True)
        )

    def further(self, gates: Sequence[Gate], results: Sequence[GateResult], key: CellKey) -> int:
        """Return how many times a cell is to be measured again at the end of the night."""
        for gate, result in zip(gates, results, strict=True):
            value, past = result.measurements[0].value, self._past(gate, result)
            if past is None or value is None or not value > 0:
                continue
            tonight = np.full(len(past.usual.level), math.nan)
            place = self._place(gate, key)
            tonight[place] = math.log(value)
            if is_suspect(past, tonight)[place]:
                return AGAIN
        asked = any(gate.of_history for gate in gates)
        return 1 if asked and key in self.twice else 0

    def again(
        self, gates: Sequence[Gate], results: Sequence[GateResult], key: CellKey, more: Sequence[Collected]
    ) -> tuple[GateResult, ...]:
        """Return what the gates on history say by tonight's first measurement and those made again.

        Of a cell that looked as usual, one more tells how far two of a night differ, and nothing else.
        """
        return tuple(
            self._more(gate, result, key, more) if gate.of_history else result
            for gate, result in zip(gates, results, strict=True)
        )

    def _past(self, gate: Gate, result: GateResult) -> PastNights | None:
        """Return the past that a gate was judged by; None where it was not."""
        if not gate.of_history or result.history is None or result.history.label == NOT_ENOUGH_DATA:
            return None
        return self.pasts.fitted[gate.quantity.word]

    def _place(self, gate: Gate, key: CellKey) -> int:
        return self.pasts.cells[gate.quantity.word].index(key)

    def _first(self, gate: Gate, result: GateResult, key: CellKey, run: RunResult) -> GateResult:
        value, series = result.measurements[0].value, self.pasts.series.get((gate.quantity.word, key))
        if value is None or not value > 0:
            return result
        is_new = series is None or (series.epoch is not None and not is_same(series.epoch, epoch_of(run)))
        nights = 0 if is_new or series is None else series.nights
        if nights < FEWEST_NIGHTS:
            left_out = 0 if is_new or series is None else series.left_out
            begins = is_new and series is not None and bool(series.nights)
            return _too_few(result, nights, left_out, is_new=begins)
        return self._labelled(gate, replace(result, measurements=(Judgement(CANNOT_TELL, value),)), key)

    def _more(self, gate: Gate, result: GateResult, key: CellKey, more: Sequence[Collected]) -> GateResult:
        past, values = self._past(gate, result), [value_of(gate, item.run) for item in more]
        told = [value for value in values if value is not None and value > 0]
        if not told or result.history is None:
            return result
        if len(values) == 1:
            return replace(result, history=replace(result.history, twice=told[0]))
        if past is None:
            return result
        singles = (result.measurements[0], *(Judgement(CANNOT_TELL, value) for value in told))
        return self._labelled(gate, replace(result, measurements=singles), key)

    def _labelled(self, gate: Gate, result: GateResult, key: CellKey) -> GateResult:
        """Return a gate with its word; `measurements` are the single ones, and the mean of all is added."""
        word, place = gate.quantity.word, self._place(gate, key)
        past, series = self.pasts.fitted[word], self.pasts.series[word, key]
        values = [item.value for item in result.measurements if item.value is not None]
        assert gate.within_percent is not None
        logs = [math.log(value) for value in values]
        verdict = judge_night(past, place, logs, beyond=gate.within_percent / 100)
        level = math.exp(float(past.usual.level[place]))
        singles = tuple(_single(value, level) for value in values)
        mean = math.exp(sum(logs) / len(logs))
        told = _judgement(verdict, mean, level)
        measurements = (*singles, told) if len(singles) > 1 else (told,)
        history = against(verdict)
        if verdict.label == REGRESSION:
            entries = [math.nan if entry is None else math.log(entry.value) for entry in series.entries]
            history = with_since(history, self.pasts.nights, [*entries, math.log(mean)])
        detail = _detail(verdict, len(singles))
        return replace(
            result,
            state=STATES[verdict.label],
            measurements=measurements,
            detail=detail,
            history=history,
        )


def against(verdict: Verdict) -> AgainstHistory:
    """Return how a verdict came about, for the night's document."""
    return AgainstHistory(
        verdict.label, verdict.nights, verdict.deviation_percent, verdict.over_nights, verdict.creeps
    )


def with_since(history: AgainstHistory, nights: Sequence[Night], values: Sequence[float]) -> AgainstHistory:
    """Return a regression with the night that it began with, unless that is tonight's.

    `values` are logarithms of those nights (NaN: none) and, last, of tonight.
    """
    told = [(night, value) for night, value in zip(nights, values, strict=False) if not math.isnan(value)]
    since = since_place([*(value for _, value in told), values[-1]])
    if since is None or since >= len(told):
        return history
    return replace(history, since=told[since][0].id, since_unix_s=told[since][0].started_unix_s)


def chosen_twice(cells: Sequence[CellKey], nights: int) -> frozenset[CellKey]:
    """Return which of a night's cells are measured twice: one of twenty, others the next night."""
    count = math.ceil(len(cells) * MEASURED_TWICE)
    return frozenset(cells[(nights * count + step) % len(cells)] for step in range(count))


def _single(value: float, level: float) -> Judgement:
    return Judgement(CANNOT_TELL, value, level, (value / level - 1) * 100)


def _judgement(verdict: Verdict, value: float, level: float) -> Judgement:
    return Judgement(
        STATES[verdict.label],
        value,
        level,
        verdict.difference_percent,
        verdict.low_percent,
        verdict.high_percent,
    )


def _too_few(result: GateResult, nights: int, left_out: int, *, is_new: bool) -> GateResult:
    """Return a gate that the past does not judge: pairs do where the baseline's model took turns with it."""
    told = f"{nights} of {FEWEST_NIGHTS} nights" + (" of a new epoch" if is_new else "")
    if left_out:
        told += f" ({left_out} more crossed a gate on it, or were SUSPECT)"
    detail = f"{NOT_ENOUGH_DATA}: {told}"
    if result.detail:
        detail = f"{detail}; {result.detail}"
    return replace(result, detail=detail, history=AgainstHistory(NOT_ENOUGH_DATA, nights))


def _detail(verdict: Verdict, measurements: int) -> str:
    parts: list[str] = [verdict.label]
    if verdict.label == SUSPICIOUS and measurements == 1:
        parts.append("not measured again")
    if verdict.over_nights > 1:
        parts.append(f"by the mean of the last {verdict.over_nights} nights")
    if verdict.creeps:
        parts.append("against the first nights of the epoch: small steps")
    if verdict.nights < REFERENCE_NIGHTS:
        parts.append(f"{verdict.nights} of {REFERENCE_NIGHTS} nights")
    return ", ".join(parts)
