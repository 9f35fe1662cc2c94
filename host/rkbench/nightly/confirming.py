"""What is measured again before it is believed, and what both measurements say.

What scatters (latencies, rates, load times) and failed alone is red only if it fails again. Beside the
baseline's model the loads of both measurements are one sample: what looks slower, proven or not, is
measured again, and all loads together decide. That is one look at one interval, so a second measurement
makes no false alarm more likely.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rkbench.nightly.judge import AcceptedRun, is_by_pairs, judge_test, paired_test
from rkbench.results.collect import Collected
from rkbench.results.night import GateResult
from rkbench.stats.gates import CANNOT_TELL, FAIL, NOT_MEASURED, Gate, State
from rkbench.stats.history.verdicts import NOT_ENOUGH_DATA
from rkbench.stats.judging import Judgement

_ONCE = "beyond it once, not when measured again"


@dataclass(frozen=True)
class Pair:
    """A run of the night, and that of the baseline's model which took turns with it."""

    own: Collected
    beside: AcceptedRun


def to_confirm(gates: Sequence[Gate], results: Sequence[GateResult], *, paired: bool = False) -> bool:
    """Return whether the cell is to be measured again: a gate failed on what scatters.

    `paired`: or its estimate, made of pairs, lies beyond the limit, and the interval does not say.
    """
    return any(_is_doubtful(gate, result, paired) for gate, result in zip(gates, results, strict=True))


def confirmed(
    gates: Sequence[Gate],
    first: Sequence[GateResult],
    second: Sequence[GateResult],
    pairs: Sequence[Pair] = (),
) -> tuple[GateResult, ...]:
    """Return `first` with what the second measurement says where a gate was to be confirmed.

    `pairs` are both measurements, where both were made beside the baseline's model.
    """
    return tuple(
        _confirmed(gate, one, two, pairs) if _is_doubtful(gate, one, bool(pairs)) else one
        for gate, one, two in zip(gates, first, second, strict=True)
    )


def _is_doubtful(gate: Gate, found: GateResult, paired: bool) -> bool:
    if found.history is not None and found.history.label != NOT_ENOUGH_DATA:
        return False  # at the end of the night
    if gate.quantity.scatters and found.state == FAIL:
        return True
    return paired and is_by_pairs(gate) and found.state == CANNOT_TELL and _is_beyond(gate, found.last)


def _is_beyond(gate: Gate, found: Judgement) -> bool:
    assert gate.within_percent is not None
    return found.difference_percent is not None and found.difference_percent > gate.within_percent


def _confirmed(gate: Gate, one: GateResult, two: GateResult, pairs: Sequence[Pair]) -> GateResult:
    if not (pairs and is_by_pairs(gate)) or two.state == NOT_MEASURED:
        return _second_decides(one, two)
    last, pushes = pairs[-1], [(pair.beside.latencies, pair.own.latencies) for pair in pairs]
    test = paired_test(gate, last.beside.run, last.own.run, pushes)
    if test.difference_percent is None:
        return _second_decides(one, two)
    both = judge_test(gate, (two.last.baseline, two.last.value), test)
    again, told = _is_beyond(gate, two.last), f"measured twice, {test.units} {test.unit}s together"
    state: State = both.state
    if state == FAIL and not again:
        state = CANNOT_TELL  # what one measurement alone shows may have been its moment
    detail = told if state == FAIL else f"{told}: {both.detail}" if again and both.detail else _ONCE
    measurements = (*one.measurements, *two.measurements, both)
    return GateResult(one.gate, one.quantity, one.unit, state, measurements, detail, one.history)


def _second_decides(first: GateResult, second: GateResult) -> GateResult:
    both = (*first.measurements, *second.measurements)
    detail = {
        FAIL: "measured twice",
        NOT_MEASURED: f"beyond it once, and could not be measured again: {second.detail}",
    }.get(second.state, _ONCE)
    return GateResult(first.gate, first.quantity, first.unit, second.state, both, detail, first.history)
