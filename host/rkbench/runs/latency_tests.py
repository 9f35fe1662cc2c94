"""Whether the calls of one run take longer than those of another: a word, an estimate, an interval.

Every two runs of a push that took turns have one, the two best included (docs/method.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, Literal

from rkbench.runs.latencies import RawLatencies
from rkbench.runs.model import RunResult
from rkbench.runs.pairs import Turn, load_differences, turns_of
from rkbench.stats.paired import (
    METHOD,
    PairedDifference,
    PairedJudgement,
    joint_confidence,
    paired_difference,
)

Unit = Literal["load", "quad"]
LOAD: Final = "load"
QUAD: Final = "quad"

NOT_IN_TURNS = "their blocks were not measured in turns (A B B A)"
OTHER_PUSH = "they are of different pushes"


@dataclass(frozen=True)
class LatencyTest:
    """By how many percent the calls of `run` take longer (+) than those of `against`, another run.

    `low_percent` and `high_percent` bound it with `confidence` (0..1; that of all tests together is 95 %);
    None where the units are too few. The `unit` is the load, or the quad where there was one load, of which
    alone the test then speaks. `needed` units would tell where the judgement is "can't tell"; `reason` says
    why there is no unit at all.
    """

    run: str
    judgement: PairedJudgement
    difference_percent: float | None
    low_percent: float | None
    high_percent: float | None
    method: str = METHOD
    against: str | None = None
    confidence: float = 0.95
    unit: Unit = LOAD
    units: int = 0
    needed: int | None = None
    reason: str | None = None


def latency_tests(
    base: RunResult, others: Sequence[RunResult], latencies: Mapping[str, RawLatencies]
) -> tuple[tuple[LatencyTest, ...], tuple[LatencyTest, ...]]:
    """Return the tests of all `others` against `base`, and those of the others among each other.

    `latencies` are the runs' by their ids. Two runs of different pushes are never a pair.
    """
    confidence = joint_confidence(len(others))
    turns = {run.id: turns_of(latencies.get(run.id, RawLatencies())) for run in (base, *others)}
    against_base = tuple(_test(base, run, turns, confidence) for run in others)
    return against_base, tuple(_test(one, two, turns, confidence) for one, two in combinations(others, 2))


def joined_test(
    base: RunResult, run: RunResult, pushes: Sequence[tuple[RawLatencies, RawLatencies]]
) -> LatencyTest:
    """Return one test over the loads of several pushes, told of `run` against `base`, which are of the last.

    `pushes` are the latencies of both variants, the base's first.
    """
    loads = [
        differences
        for before, now in pushes
        for differences in load_differences(turns_of(before), turns_of(now))
    ]
    found = paired_difference(loads, effect=base.plan.effect_percent / 100, confidence=joint_confidence(1))
    return _of(found, run.id, base.id, None if loads else NOT_IN_TURNS)


def _test(
    base: RunResult, run: RunResult, turns: Mapping[str, Sequence[Turn]], confidence: float
) -> LatencyTest:
    same_push = base.push == run.push
    loads = load_differences(turns[base.id], turns[run.id]) if same_push else []
    found = paired_difference(loads, effect=base.plan.effect_percent / 100, confidence=confidence)
    reason = None if loads else NOT_IN_TURNS if same_push else OTHER_PUSH
    return _of(found, run.id, base.id, reason)


def _of(found: PairedDifference, run: str, against: str, reason: str | None) -> LatencyTest:
    return LatencyTest(
        run,
        found.judgement,
        _percent(found.difference),
        _percent(found.low),
        _percent(found.high),
        against=against,
        confidence=found.confidence,
        unit=QUAD if found.loads == 1 else LOAD,
        units=found.units,
        needed=None if reason else found.needed,
        reason=reason,
    )


def _percent(part: float | None) -> float | None:
    return None if part is None else part * 100
