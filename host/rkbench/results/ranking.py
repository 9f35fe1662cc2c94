"""The variants of a push in the order of what is to be small (`--minimize`), and whether the first is best.

Best is who is lower than every other beyond chance: by pairs of blocks or loads for latencies, by all of its
loads for what a load takes. What does not scatter (the file,
memory of the NPU, errors of outputs) is compared as it is. Only variants that keep every requirement count.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rkbench.results.caveats import is_wrong
from rkbench.results.latencies import RawLatencies
from rkbench.results.latency_tests import LatencyTest, figure_test, needed_text
from rkbench.results.measure_types import Measure, NumberGroup
from rkbench.results.measures import GATED
from rkbench.results.model import STOPPED, RunResult
from rkbench.results.names import told_apart
from rkbench.stats.figures import Statistic
from rkbench.stats.gates import CANNOT_TELL, PASS
from rkbench.stats.paired import CONFIDENCE, FASTER, NO_DIFFERENCE, SLOWER, joint_confidence


@dataclass(frozen=True)
class RankedRun:
    """A run with its value, in the unit of the measure, and what bounds it.

    Of a percentile that is 95 %, of a figure of loads their range; None where it has neither.
    """

    run: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class PassedOver:
    """A run that is not ranked, and why."""

    run: str
    reason: str


@dataclass(frozen=True)
class Ranking:
    """Runs by the measure `metric` (a name of the table of measures; `word` as gates write it), lowest first.

    `best` is the first of them, where it is lower than every other; else None, and `reason` says why.
    """

    metric: str
    word: str
    ranked: tuple[RankedRun, ...]
    passed_over: tuple[PassedOver, ...]
    best: str | None
    reason: str = ""


@dataclass(frozen=True)
class LatencyEvidence:
    """What is known of differences: the raw latencies by run, the tests of p50 between any two runs."""

    latencies: Mapping[str, RawLatencies]
    of_p50: Sequence[LatencyTest]

    def p50(self, one: RunResult, other: RunResult) -> LatencyTest | None:
        """Return the test between two runs, whichever of them it was held against."""
        return next((test for test in self.of_p50 if {test.run, test.against} == {one.id, other.id}), None)


def rank(
    word: str, runs: Sequence[RunResult], refused: Mapping[str, str], evidence: LatencyEvidence
) -> Ranking:
    """Return `runs` by the measure that gates call `word`; `refused` says by id who cannot be compared."""
    measure, runs = GATED[word], told_apart(runs)
    reasons = {run.id: _why_not(run, measure, refused) for run in runs}
    counted = sorted((run for run in runs if not reasons[run.id]), key=lambda run: measure.value(run) or 0.0)
    reason = _undecided(measure, counted, evidence)
    return Ranking(
        measure.name,
        word,
        tuple(_ranked(measure, run) for run in counted),
        tuple(PassedOver(run, reason) for run, reason in reasons.items() if reason),
        counted[0].id if counted and not reason else None,
        reason,
    )


def _why_not(run: RunResult, measure: Measure, refused: Mapping[str, str]) -> str:
    """Return why a run does not count; "" where it does."""
    if run.verdict == STOPPED:
        return "it was stopped"
    if run.failure is not None:
        return f"it failed in {run.failure.stage.replace('_', ' ')}"
    if run.id in refused:
        return f"it cannot be compared: {refused[run.id]}"
    if any(map(is_wrong, run.outputs)):
        return "its outputs are not what was expected"
    crossed = [f"{told.gate}: {told.state}" for told in run.requirements if told.state != PASS]
    if crossed:
        return "; ".join(crossed)
    return "" if measure.value(run) is not None else f"no {measure.gate} was measured"


def _ranked(measure: Measure, run: RunResult) -> RankedRun:
    value = measure.value(run)
    assert value is not None  # see `_why_not`
    if measure.percent is not None and run.latency is not None:
        within = run.latency.within(measure.percent)
        return RankedRun(run.id, value, within.low_s, within.high_s)
    found = measure.range_of(run)
    return RankedRun(run.id, value, found.low, found.high) if found else RankedRun(run.id, value)


def _undecided(measure: Measure, counted: Sequence[RunResult], evidence: LatencyEvidence) -> str:
    """Return why the first is not best; "" where it is lower than every other."""
    if not counted:
        return "none counts"
    first, others = counted[0], counted[1:]
    if equal := [other for other in others if _are_equal(measure, first, other)]:
        *names, last = [run.variant.name for run in (first, *equal)]
        return f"{', '.join(names)} and {last} are equal"
    confidence = joint_confidence(len(others))
    told = (_not_below(measure, first, other, evidence, confidence) for other in others)
    return next((reason for reason in told if reason), "")


def _not_below(
    measure: Measure, first: RunResult, other: RunResult, evidence: LatencyEvidence, confidence: float
) -> str:
    """Return why `first` is not lower than `other`; "" where it is."""
    names = f"{first.variant.name} and {other.variant.name}"
    if measure.statistic is Statistic.P50:
        return _by_pairs(evidence.p50(first, other), first, names)
    if measure.statistic is not None:
        test = figure_test(other, first, evidence.latencies, measure.statistic, confidence)
        return _by_pairs(test, first, names)
    return _by_values(measure, first, other, names)


def _by_pairs(test: LatencyTest | None, first: RunResult, names: str) -> str:
    if test is None:
        return f"{names} did not take turns"
    if test.judgement == (FASTER if test.run == first.id else SLOWER):
        return ""
    if test.judgement == NO_DIFFERENCE:
        return f"{names} do not differ by more than {first.plan.effect_percent:g} %"
    if test.judgement == CANNOT_TELL:
        return f"{names} can't be told apart: {needed_text(test)}"
    return f"{names} lie in another order side by side than by themselves"


def _by_values(measure: Measure, first: RunResult, other: RunResult, names: str) -> str:
    """Compare what has no test: exactly, or by all loads where these differ."""
    below, above = _loads(measure, first), _loads(measure, other)
    if _do_not_scatter(measure, below, above):
        return ""  # not equal either: see `_undecided`
    if min(len(below), len(above)) < 2:
        return f"one load of {names} tells nothing of others: leave --loads away"
    if math.comb(len(below) + len(above), len(below)) * (1 - CONFIDENCE) / 2 < 1:
        return f"{len(below)} loads of {names} are too few: leave --loads away"
    return "" if max(below) < min(above) else f"loads of {names} overlap"


def _are_equal(measure: Measure, first: RunResult, other: RunResult) -> bool:
    """Return whether two runs are the same in what has no test and does not scatter."""
    below, above = _loads(measure, first), _loads(measure, other)
    return measure.statistic is None and _do_not_scatter(measure, below, above) and below[0] == above[0]


def _do_not_scatter(measure: Measure, below: Sequence[float], above: Sequence[float]) -> bool:
    return len({*below}) == len({*above}) == 1 and (len(below) > 1 or measure.group in _EXACT)


#: What is the same in every load.
_EXACT = (NumberGroup.FILE, NumberGroup.NPU_MEMORY, NumberGroup.OUTPUTS)


def _loads(measure: Measure, run: RunResult) -> list[float]:
    """Return the figure in every load of a run; its one value where it is not of loads."""
    loads = run.load.loads if run.load and measure.load_figure else ()
    known = [value for load in loads if (value := getattr(load, measure.load_figure)) is not None]
    value = measure.value(run)
    return known or ([value] if value is not None else [])
