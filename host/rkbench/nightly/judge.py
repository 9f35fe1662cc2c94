"""What the gates of a cell say of its run, held against the accepted baseline where there is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rkbench.results.collect import Collected
from rkbench.results.conditions import CONDITIONS, Effect, night_refusals
from rkbench.results.gating import judge_against, of_growing_queue, value_of
from rkbench.results.latencies import RawLatencies
from rkbench.results.latency_tests import LatencyTest, joined_test
from rkbench.results.model import RunResult
from rkbench.results.night import ConditionChange, GateResult
from rkbench.results.server import is_overloaded
from rkbench.results.told import clusters_of_run
from rkbench.stats.figures import Interval
from rkbench.stats.gates import CANNOT_TELL, NOT_MEASURED, Gate
from rkbench.stats.judging import Judgement, judge_change, judge_interval, judge_latency

#: What helps where a paired interval holds the limit of its gate.
_MORE_TELL = "measured in turns, the interval holds the limit: more time tells (duration, iterations)"
#: A search ends at another rate each night, and a latency there is of that rate.
OF_TWO_RATES = "each night has the latency of its own rate: gate the goodput, or serve one rate (rate = 100)"
ACCEPT = "bench baseline accept last"
NO_BASELINE = f"no baseline yet: {ACCEPT}"


@dataclass(frozen=True)
class AcceptedRun:
    """The accepted run of a cell, with its timed durations (ns); `model` is where its model is kept.

    Also what tonight's run of that model is, once it was measured.
    """

    run: RunResult
    latencies: RawLatencies
    model: Path | None = None


#: The accepted runs of each cell, by variant, board and plan.
References = Mapping[tuple[str, str, str], tuple[AcceptedRun, ...]]


def judge(
    gates: Sequence[Gate],
    collected: Collected,
    reference: AcceptedRun | None,
    *,
    paired: bool = False,
    accepted: bool = False,
) -> tuple[GateResult, ...]:
    """Return what every gate says of a run that did not fail.

    `accepted`: there are baselines, if only of the other kind, real or simulated. `paired`: `reference` took
    turns with it, so that pairs tell how their calls differ (docs/method.md).
    """
    why_not = _refusal(collected.run, reference, accepted=accepted)
    in_turns = paired and not why_not
    return tuple(
        _result(gate, _judge(gate, collected, reference, why_not, in_turns=in_turns)) for gate in gates
    )


def unmeasured(gates: Sequence[Gate], why: str) -> tuple[GateResult, ...]:
    """Return the gates of a cell without a good run."""
    judgement = Judgement(NOT_MEASURED, detail=why)
    return tuple(_result(gate, judgement) for gate in gates)


def changes(run: RunResult, base: RunResult) -> tuple[ConditionChange, ...]:
    """Return what is not as it was when `base` ran."""
    return tuple(
        ConditionChange(
            item.night_name or item.name, _text(item.value(base)), _text(item.value(run)), item.of_board
        )
        for item in CONDITIONS
        if item.night is Effect.NAMED and item.differs(base, run)
    )


def _judge(
    gate: Gate, collected: Collected, reference: AcceptedRun | None, why_not: str, *, in_turns: bool
) -> Judgement:
    value = value_of(gate, collected.run)
    base = value_of(gate, reference.run) if reference and not why_not else None
    if not gate.is_relative:
        return judge_against(gate, (base, value), collected)
    if gate.of_history and not in_turns:
        return _of_history(gate, value, collected)
    if reference is None or why_not:
        return Judgement(NOT_MEASURED, value, detail=why_not)
    if gate.is_of_latency and collected.run.plan.find_rate:
        return Judgement(CANNOT_TELL, value, base, detail=OF_TWO_RATES)
    if gate.is_of_latency and is_overloaded(collected.run.server):
        return of_growing_queue(judge_change(gate, value, base))
    if gate.is_of_latency and is_overloaded(reference.run.server):
        return Judgement(
            CANNOT_TELL, value, base, detail="the baseline's queue grew: accept one that was served"
        )
    if in_turns and is_by_pairs(gate) and None not in (base, value):
        test = paired_test(gate, reference.run, collected.run, [(reference.latencies, collected.latencies)])
        if test.difference_percent is not None:
            return judge_test(gate, (base, value), test)
    if gate.is_of_latency:
        clusters = (clusters_of_run(item.run, item.latencies) for item in (reference, collected))
        return judge_latency(gate, (base, value), *clusters)
    return judge_change(gate, value, base)


def _of_history(gate: Gate, value: float | None, collected: Collected) -> Judgement:
    """Return tonight's figure, which the nights before judge; without a value where they must not."""
    if value is None:
        return Judgement(NOT_MEASURED, detail=f"no {gate.quantity.word} was measured")
    if collected.run.plan.find_rate:
        return Judgement(CANNOT_TELL, detail=OF_TWO_RATES)
    if is_overloaded(collected.run.server):
        return Judgement(CANNOT_TELL, detail="the queue grew for as long as was measured")
    return Judgement(CANNOT_TELL, value)


def is_by_pairs(gate: Gate) -> bool:
    """Return whether pairs tell what a gate asks: by how much a latency differs from the baseline's."""
    return gate.is_relative and gate.is_of_latency


def paired_test(
    gate: Gate, base: RunResult, run: RunResult, pushes: Sequence[tuple[RawLatencies, RawLatencies]]
) -> LatencyTest:
    """Return the test over pairs of the figure that a gate is about; see `joined_test`."""
    assert gate.quantity.statistic is not None
    return joined_test(base, run, pushes, gate.quantity.statistic)


def judge_test(gate: Gate, values: tuple[float | None, float | None], test: LatencyTest) -> Judgement:
    """Return what a gate says of a test over pairs; `values` are the baseline's and the candidate's."""
    return judge_interval(gate, values, _interval(test))


def _interval(test: LatencyTest) -> Interval:
    assert test.difference_percent is not None
    lacks = (
        f"{test.units} {test.unit}s are too few for an interval" if test.low_percent is None else _MORE_TELL
    )
    return Interval(test.difference_percent, test.low_percent, test.high_percent, lacks)


def _refusal(run: RunResult, reference: AcceptedRun | None, *, accepted: bool) -> str:
    """Return why nothing may be held against the baseline; "" where it may."""
    if reference is None and accepted:
        was, now = ("of a board", "simulated") if run.simulated else ("simulated", "of a board")
        return f"the baseline is {was}, tonight's run {now}: {ACCEPT}"
    if reference is None:
        return NO_BASELINE
    reasons = night_refusals(reference.run, run)
    return f"not to be held against the baseline: {'; '.join(reasons)}" if reasons else ""


def _result(gate: Gate, judgement: Judgement) -> GateResult:
    quantity = gate.quantity
    return GateResult(
        gate.text, quantity.word, quantity.unit.base, judgement.state, (judgement,), judgement.detail
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
