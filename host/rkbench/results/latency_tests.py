"""Whether the calls of one run take longer than those of another: a word, an estimate, an interval.

Every two runs of a push that took turns have one, the two best included (docs/method.md).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final, Literal

from rkbench.results.latencies import RawLatencies
from rkbench.results.model import RunResult
from rkbench.results.pairs import Turn, TurnQuad, load_differences, quads_by_load, turns_of
from rkbench.stats.clusters import LOAD
from rkbench.stats.figures import Statistic
from rkbench.stats.paired import (
    METHOD,
    PairedDifference,
    PairedJudgement,
    joint_confidence,
    paired_difference,
)
from rkbench.stats.signed_rank import fewest_differences
from rkbench.stats.summary import percentile

Unit = Literal["load", "quad"]
QUAD: Final = "quad"

NOT_IN_TURNS = "their blocks were not measured in turns (A B B A)"
NOTHING_TIMED = "of one of them no call was timed"
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
    base: RunResult,
    run: RunResult,
    pushes: Sequence[tuple[RawLatencies, RawLatencies]],
    statistic: Statistic,
) -> LatencyTest:
    """Return one test over the loads of several pushes, told of `run` against `base`, which are of the last.

    `pushes` are the latencies of both variants, the base's first. By another figure than the median it is
    that of `figure_test`.
    """
    turns = [(turns_of(before), turns_of(now)) for before, now in pushes]
    if statistic is Statistic.P50:
        loads = [load for pair in turns for load in load_differences(*pair)]
    else:
        loads = _figure_differences([load for pair in turns for load in quads_by_load(*pair)], statistic)
    found = paired_difference(loads, effect=base.plan.effect_percent / 100, confidence=joint_confidence(1))
    return _of(found, run.id, base.id, None if loads else NOT_IN_TURNS)


def figure_test(
    base: RunResult,
    run: RunResult,
    latencies: Mapping[str, RawLatencies],
    statistic: Statistic,
    confidence: float,
) -> LatencyTest:
    """Return the test of `run` against `base` by another figure than the median: a percentile, or the mean.

    Each load (each quad, where there is one load) yields the log-ratio of the figure of all its calls: of
    so few it lies off the true percentile, but for both runs alike.
    """
    turns = (turns_of(latencies.get(item.id, RawLatencies())) for item in (base, run))
    loads = _figure_differences(quads_by_load(*turns) if base.push == run.push else [], statistic)
    found = paired_difference(loads, effect=base.plan.effect_percent / 100, confidence=confidence)
    return _of(found, run.id, base.id, _no_unit(base, run, loads))


def _figure_differences(loads: Sequence[Sequence[TurnQuad]], statistic: Statistic) -> list[list[float]]:
    """Return the log-ratios of a figure: one of each load, or of each quad where there is one load."""
    parts = [[quad] for quad in loads[0]] if len(loads) == 1 else loads
    levels = [_figure(statistic, quads, 1) - _figure(statistic, quads, 0) for quads in parts]
    return [levels] if len(loads) == 1 else [[level] for level in levels]


def _figure(statistic: Statistic, quads: Sequence[TurnQuad], owner: int) -> float:
    """Return the logarithm of a figure of the calls in A's blocks (owner 0) or B's (1)."""
    places = (1, 2) if owner else (0, 3)
    calls = sorted(ns for quad in quads for place in places for ns in quad[place].durations_ns)
    if statistic.percent is None:
        return math.log(math.fsum(calls) / len(calls))
    return math.log(percentile(calls, statistic.percent))


def needed_text(test: LatencyTest) -> str:
    """Return how much would tell where nothing can be told: "9 loads would tell", or why there is nothing."""
    if test.reason is not None:
        return test.reason
    return f"{test.needed} {test.unit}s would tell" if test.needed else ""


def _test(
    base: RunResult, run: RunResult, turns: Mapping[str, Sequence[Turn]], confidence: float
) -> LatencyTest:
    same_push = base.push == run.push
    loads = load_differences(turns[base.id], turns[run.id]) if same_push else []
    found = paired_difference(loads, effect=base.plan.effect_percent / 100, confidence=confidence)
    test = _of(found, run.id, base.id, _no_unit(base, run, loads))
    if test.unit == QUAD and test.low_percent is None and (base.plan.loads or 1) > 1:
        # The plan ended in its first load: more time brings others, and nothing is said of its quads yet.
        return replace(test, unit=LOAD, units=1, needed=fewest_differences(confidence))
    return test


def _no_unit(base: RunResult, run: RunResult, loads: Sequence[object]) -> str | None:
    """Return why two runs have no pair of blocks; None where they have."""
    if loads:
        return None
    if base.latency is None or run.latency is None:
        return NOTHING_TIMED
    return NOT_IN_TURNS if base.push == run.push else OTHER_PUSH


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
