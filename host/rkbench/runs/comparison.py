"""Runs side by side: the metrics of each, their differences to the baseline, and what may not be compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rkbench.runs.latencies import RawLatencies
from rkbench.runs.model import RunResult
from rkbench.stats.compare import METHOD, LatencyDifference, compare_latencies, difference_percent


@dataclass(frozen=True)
class Metric:
    """One metric of all runs, by run id; `differences` are percent of the baseline, None where refused."""

    name: str
    unit: str
    higher_is_better: bool
    values: Mapping[str, float | None]
    differences: Mapping[str, float | None]


@dataclass(frozen=True)
class LatencyTest:
    """Whether a run's calls are faster than the baseline's: a word, and an interval of 95 %."""

    run: str
    judgement: str
    difference_percent: float | None
    low_percent: float | None
    high_percent: float | None
    method: str = METHOD


@dataclass(frozen=True)
class Condition:
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
    """The comparison of a push; `baseline` is the id of the run that the others are held against."""

    baseline: str | None
    metrics: tuple[Metric, ...]
    latency_tests: tuple[LatencyTest, ...]
    conditions: tuple[Condition, ...]
    verdict: str
    refused: tuple[Refusal, ...]


def lowest_cosine(run: RunResult) -> float | None:
    """Return the lowest cosine of any output and case; None where unknown."""
    return min((output.cosine for output in run.outputs if output.cosine is not None), default=None)


def highest_error(run: RunResult) -> float | None:
    """Return the largest absolute error of any output and case; None where unknown."""
    return max((o.max_abs_error for o in run.outputs if o.max_abs_error is not None), default=None)


def lowest_top1(run: RunResult) -> float | None:
    """Return the lowest share of cases whose top class agrees (0 to 1); None where unknown."""
    return min((o.top1_agreement for o in run.outputs if o.top1_agreement is not None), default=None)


def device_p50_s(run: RunResult) -> float | None:
    """Return the median of the NPU's own time, in seconds; None where the runtime does not tell it."""
    device = run.latency.stages.device if run.latency else None
    return device.p50_s if device else None


_Value = Callable[[RunResult], "float | None"]

#: name, unit, higher is better, value
METRICS: tuple[tuple[str, str, bool, _Value], ...] = (
    ("size_bytes", "B", False, lambda run: run.variant.size_bytes),
    ("load_duration_s", "s", False, lambda run: run.load.duration_s if run.load else None),
    ("load_npu_total_bytes", "B", False, lambda run: run.load.npu_total_bytes if run.load else None),
    ("load_rss_delta_bytes", "B", False, lambda run: run.load.rss_delta_bytes if run.load else None),
    ("latency_p50_s", "s", False, lambda run: run.latency.p50_s if run.latency else None),
    ("latency_p90_s", "s", False, lambda run: run.latency.p90_s if run.latency else None),
    ("latency_p99_s", "s", False, lambda run: run.latency.p99_s if run.latency else None),
    ("latency_device_p50_s", "s", False, device_p50_s),
    ("throughput_per_s", "1/s", True, lambda run: run.throughput_per_s),
    ("cosine", "1", True, lowest_cosine),
    ("max_abs_error", "output unit", False, highest_error),
    ("top1_agreement", "1", True, lowest_top1),
)
OUTPUT_METRICS = frozenset({"cosine", "max_abs_error", "top1_agreement"})

#: Conditions that forbid a comparison where they differ.
_FORBIDDING: tuple[tuple[str, Callable[[RunResult], object]], ...] = (
    ("simulated", lambda run: run.simulated),
    ("board", lambda run: run.board.name),
    ("SoC", lambda run: run.board.soc),
    ("scenario", lambda run: run.plan.scenario),
)
#: Conditions that are named where they differ.
_NAMED: tuple[tuple[str, Callable[[RunResult], object]], ...] = (
    ("runtime", lambda run: run.board.runtime),
    ("runtime_version", lambda run: run.board.runtime_version),
    ("driver_version", lambda run: run.board.driver_version),
    ("kernel", lambda run: run.board.kernel),
    ("core_mask", lambda run: run.plan.core_mask),
    ("npu_governor", lambda run: run.board.npu_governor),
    ("npu_clock_hz", lambda run: run.board.npu_clock_hz),
    ("agent_digest", lambda run: run.board.agent_digest),
    ("golden", lambda run: run.plan.golden_sha256 is not None),
)


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
    tests = tuple(_test(base, run, latencies) for run in allowed) if base else ()
    found = Comparison(
        baseline=base.id if base else None,
        metrics=tuple(_metric(row, runs, base, banned) for row in METRICS),
        latency_tests=tests,
        conditions=tuple(c for run in allowed if base for c in _conditions(base, run)),
        verdict="",
        refused=refused,
    )
    return Comparison(**{**vars(found), "verdict": verdict(runs, found)})


def refusals(base: RunResult, run: RunResult) -> tuple[str, ...]:
    """Return why `run` may not be held against `base`; empty where it may."""
    reasons = [
        f"{name} differs: {value(run)}, baseline {value(base)}"
        for name, value in _FORBIDDING
        if value(run) != value(base)
    ]
    if run.failure is not None:
        reasons.append(f"the run ended early, in stage {run.failure.stage}")
    if base.failure is not None:
        reasons.append(f"the baseline ended early, in stage {base.failure.stage}")
    return tuple(reasons)


def _baseline(runs: Sequence[RunResult], wanted: str | None) -> RunResult | None:
    if wanted is not None:
        return next((run for run in runs if run.id == wanted), None)
    return next((run for run in runs if run.failure is None), runs[0] if runs else None)


def _metric(
    row: tuple[str, str, bool, _Value],
    runs: Sequence[RunResult],
    base: RunResult | None,
    banned: set[str],
) -> Metric:
    name, unit, higher_is_better, value = row
    values = {run.id: value(run) for run in runs}
    reference = values.get(base.id) if base else None
    differences = {
        run.id: None
        if run.id in banned or base is None or _other_golden(name, base, run)
        else difference_percent(reference, values[run.id])
        for run in runs
        if base is None or run.id != base.id
    }
    return Metric(name, unit, higher_is_better, values, differences)


def _other_golden(metric: str, base: RunResult, run: RunResult) -> bool:
    return metric in OUTPUT_METRICS and (run.plan.golden_sha256 is None) != (base.plan.golden_sha256 is None)


def _test(base: RunResult, run: RunResult, latencies: Mapping[str, RawLatencies]) -> LatencyTest:
    empty = RawLatencies()
    found: LatencyDifference = compare_latencies(
        latencies.get(base.id, empty).timed_blocks(), latencies.get(run.id, empty).timed_blocks()
    )
    return LatencyTest(run.id, **vars(found))


def _conditions(base: RunResult, run: RunResult) -> list[Condition]:
    return [
        Condition(run.id, name, _text(value(base)), _text(value(run)))
        for name, value in _NAMED
        if value(base) != value(run)
    ]


def _text(value: object) -> str | None:
    return None if value is None else str(value)
