"""Runs side by side: the metrics of each, their differences to the baseline, and what may not be compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rkbench_agent.wire.words import SINGLE_STREAM

from rkbench.results.conditions import CONDITIONS, Effect, refusals
from rkbench.results.latencies import RawLatencies
from rkbench.results.latency_tests import LatencyTest, figure_test, latency_tests
from rkbench.results.measure_types import Measure
from rkbench.results.measures import LATENCY_P50, MEASURES
from rkbench.results.model import RunResult
from rkbench.results.noise_floor import NoiseFloor
from rkbench.results.ranking import LatencyEvidence, Ranking, rank
from rkbench.results.tail_tests import TailTest, tail_tests
from rkbench.stats.figures import Statistic
from rkbench.stats.paired import NO_DIFFERENCE, joint_confidence
from rkbench.stats.summary import difference_percent


@dataclass(frozen=True)
class ComparedMeasure:
    """One measure of all runs, by run id; `differences` are percent of the baseline, None where refused.

    That of the median latency is the estimate of the latency test, where there is one.
    """

    name: str
    unit: str
    higher_is_better: bool
    values: Mapping[str, float | None]
    differences: Mapping[str, float | None]


@dataclass(frozen=True)
class ConditionDifference:
    """A condition under which a run differs from the baseline, and which does not forbid to compare."""

    run: str
    name: str
    baseline: str | None
    value: str | None


@dataclass(frozen=True)
class Refusal:
    """A run that is not compared with the baseline, and why."""

    run: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """The comparison of a push; `baseline` is the id of the run that the others are held against.

    `latency_tests` are those of the others against it, `latency_pairs` those of the others among each other,
    `tail_tests` those of the slowest calls; `mean_tests` are of the mean, where the medians show no
    difference: what few calls take is in no median. `noise_floor` is the board's under the same conditions;
    None where nobody measured it. `ranking` is the order of all by what is to be small; None where nobody
    asked.
    """

    baseline: str | None
    metrics: tuple[ComparedMeasure, ...]
    latency_tests: tuple[LatencyTest, ...]
    conditions: tuple[ConditionDifference, ...]
    verdict: str
    refused: tuple[Refusal, ...]
    latency_pairs: tuple[LatencyTest, ...] = ()
    tail_tests: tuple[TailTest, ...] = ()
    mean_tests: tuple[LatencyTest, ...] = ()
    noise_floor: NoiseFloor | None = None
    ranking: Ranking | None = None

    @property
    def has_candidates(self) -> bool:
        """Whether any run is held against the baseline."""
        return any(metric.differences for metric in self.metrics)

    def test_of(self, run: str) -> LatencyTest | None:
        """Return the latency test of a run against the baseline, where there is one."""
        return next((test for test in self.latency_tests if test.run == run), None)

    def of(self, measure: Measure) -> ComparedMeasure:
        """Return the values and differences of a measure that is compared."""
        return next(metric for metric in self.metrics if metric.name == measure.name)


def compare_runs(
    runs: Sequence[RunResult],
    latencies: Mapping[str, RawLatencies],
    verdict: Callable[[Sequence[RunResult], Comparison], str],
    baseline: str | None = None,
) -> Comparison:
    """Return `runs` held against the one named `baseline` (a run id; else the first that did not fail).

    `verdict` makes the sentence out of the rest.
    """
    base = _baseline(runs, baseline)
    others = [run for run in runs if base is not None and run.id != base.id]
    refused = tuple(Refusal(run.id, reasons) for run in others if base and (reasons := refusals(base, run)))
    banned = {refusal.run for refusal in refused}
    allowed = [run for run in others if run.id not in banned]
    # Calls of several contexts wait for each other: no block of them stands for the model's latency.
    tested = allowed if base and base.plan.scenario == SINGLE_STREAM else []
    tests, pairs = latency_tests(base, tested, latencies) if base and tested else ((), ())
    estimates = {test.run: test.difference_percent for test in tests if test.reason is None}
    found = Comparison(
        baseline=base.id if base else None,
        metrics=tuple(_metric(item, runs, base, banned, estimates) for item in MEASURES if item.compared),
        latency_tests=tests,
        conditions=tuple(c for run in allowed if base for c in _conditions(base, run)),
        verdict="",
        refused=refused,
        latency_pairs=pairs,
        tail_tests=tail_tests(base, tested, latencies) if base else (),
        mean_tests=_mean_tests(base, tested, tests, latencies) if base else (),
        ranking=_ranking(runs, refused, LatencyEvidence(latencies, (*tests, *pairs))),
    )
    return Comparison(**{**vars(found), "verdict": verdict(runs, found)})


def _mean_tests(
    base: RunResult,
    others: Sequence[RunResult],
    tests: Sequence[LatencyTest],
    latencies: Mapping[str, RawLatencies],
) -> tuple[LatencyTest, ...]:
    alike = {test.run for test in tests if test.judgement == NO_DIFFERENCE}
    confidence = joint_confidence(len(others))
    return tuple(
        figure_test(base, run, latencies, Statistic.MEAN, confidence) for run in others if run.id in alike
    )


def _ranking(
    runs: Sequence[RunResult], refused: Sequence[Refusal], evidence: LatencyEvidence
) -> Ranking | None:
    """Return the order of runs that were all asked for the same measure to be small; None for others."""
    words = {run.plan.minimize for run in runs}
    word = words.pop() if len(words) == 1 else ""
    reasons = {refusal.run: "; ".join(refusal.reasons) for refusal in refused}
    return rank(word, runs, reasons, evidence) if word else None


def _baseline(runs: Sequence[RunResult], wanted: str | None) -> RunResult | None:
    if wanted is not None:
        return next((run for run in runs if run.id == wanted), None)
    return next((run for run in runs if run.failure is None), runs[0] if runs else None)


def _metric(
    measure: Measure,
    runs: Sequence[RunResult],
    base: RunResult | None,
    banned: set[str],
    estimates: Mapping[str, float | None],
) -> ComparedMeasure:
    values = {run.id: measure.value(run) for run in runs}
    reference = values.get(base.id) if base else None
    differences = {
        run.id: None
        if run.id in banned or base is None or _other_golden(measure, base, run)
        else difference_percent(reference, values[run.id])
        for run in runs
        if base is None or run.id != base.id
    }
    if measure is LATENCY_P50:
        differences |= estimates
    return ComparedMeasure(measure.name, measure.unit.name, measure.higher_is_better, values, differences)


def _other_golden(measure: Measure, base: RunResult, run: RunResult) -> bool:
    """Return whether one run's outputs were checked and the other's were not."""
    is_of_outputs = measure.per_output is not None
    return is_of_outputs and (run.plan.golden_sha256 is None) != (base.plan.golden_sha256 is None)


def _conditions(base: RunResult, run: RunResult) -> list[ConditionDifference]:
    return [
        ConditionDifference(run.id, item.name, _text(item.value(base)), _text(item.value(run)))
        for item in CONDITIONS
        if item.push is Effect.NAMED and item.differs(base, run)
    ]


def _text(value: object) -> str | None:
    return None if value is None else str(value)
