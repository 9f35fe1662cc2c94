"""What the latency tests of a push come to, in words that its sentence and its table share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rkbench.results.comparison import Comparison
from rkbench.results.latency_tests import QUAD, LatencyTest, needed_text
from rkbench.results.model import RunResult
from rkbench.stats.gates import CANNOT_TELL
from rkbench.stats.paired import FASTER, NO_DIFFERENCE, SLOWER
from rkbench.units import MARK, signed

THIS_LOAD_ONLY = "Latency is of this load only, another may lie a percent off: --loads tells through several."
MOST_DIGITS = 3


@dataclass(frozen=True)
class LatencyWords:
    """What is said of faster and slower candidates, by run, and of the rest in a clause ("": nothing)."""

    faster: Mapping[str, str]
    slower: Mapping[str, str]
    rest: str


def describe_latency(
    base: RunResult, candidates: Sequence[RunResult], comparison: Comparison
) -> LatencyWords:
    """Return what the tests of `candidates` against `base` say.

    The fastest is who beats the baseline and every other candidate; several that beat the baseline and
    not each other are faster, each.
    """
    tests = {run.id: test for run in candidates if (test := comparison.test_of(run.id))}
    faster = [run for run in candidates if run.id in tests and tests[run.id].judgement == FASTER]
    fastest = next((run for run in faster if _beats_all(run, candidates, comparison)), None)
    praised = [fastest] if fastest else faster
    words = "the fastest" if fastest else "faster"
    return LatencyWords(
        {run.id: f"{words}, {figures(tests[run.id], run)}" for run in praised},
        {
            run_id: f"slower, {figures(test, base)}"
            for run_id, test in tests.items()
            if test.judgement == SLOWER
        },
        _rest(base, faster, fastest, tests),
    )


def figures(test: LatencyTest, run: RunResult) -> str:
    """Return the estimate with its interval: -6.6 % (-6.9 to -6.3)."""
    return f"{estimate_text(test, run)} ({interval_text(test)})"


def load_sentence(tests: Iterable[LatencyTest]) -> str:
    """Return that what tests say holds for one load alone, behind a blank; "" where there were several."""
    told = any(test.unit == QUAD and test.low_percent is not None for test in tests)
    return f" {THIS_LOAD_ONLY}" if told else ""


def mean_sentence(
    tests: Iterable[LatencyTest], names: Mapping[str, str], runs: Mapping[str, RunResult]
) -> str:
    """Return whose calls take longer, or shorter, on average although their medians do not; "" where none."""
    told = [
        f"On average calls of {names[test.run]} take {figures(test, runs[test.run])}, which no p50 shows."
        for test in tests
        if test.judgement in (FASTER, SLOWER)
    ]
    return "".join(f" {sentence}" for sentence in told)


def estimate_text(test: LatencyTest, run: RunResult) -> str:
    """Return the estimate in percent, marked where it is of simulated runs; "" where there is none."""
    if test.difference_percent is None:
        return ""
    return f"{MARK if run.simulated else ''}{signed(test.difference_percent)} %"


def interval_text(test: LatencyTest) -> str:
    """Return the interval in percent without its unit: -6.9 to -6.3; "" where there is none.

    One digit, and up to three where only they tell the bounds apart; as many as it takes where both bounds
    lie on one side of 0, so that neither reads as 0.
    """
    if test.low_percent is None or test.high_percent is None:
        return ""
    bounds = (test.low_percent, test.high_percent)
    fewest = _digits_beside_zero(*bounds)
    tried = range(fewest, max(fewest, MOST_DIGITS) + 1)
    texts = [[signed(bound, digits) for bound in bounds] for digits in tried]
    low, high = next((pair for pair in texts if pair[0] != pair[1]), texts[0])
    return f"{low} to {high}"


def _digits_beside_zero(low: float, high: float) -> int:
    """Return how many digits show that an interval excludes 0; one where it does not."""
    excludes = low * high > 0
    nearest = min(abs(low), abs(high))
    return next((digits for digits in range(1, 16) if not excludes or round(nearest, digits)), 1)


def _beats_all(run: RunResult, candidates: Sequence[RunResult], comparison: Comparison) -> bool:
    beaten = {other.id for other in candidates if other.id != run.id}
    wins = {
        (test.run, test.against) if test.judgement == FASTER else (test.against, test.run)
        for test in comparison.latency_pairs
        if test.judgement in (FASTER, SLOWER)
    }
    return all((run.id, other) in wins for other in beaten)


def _rest(
    base: RunResult, faster: Sequence[RunResult], fastest: RunResult | None, tests: Mapping[str, LatencyTest]
) -> str:
    if fastest:
        return ""
    if len(faster) > 1:
        return "which of them is the fastest can't be told"
    if faster or not tests:
        return ""
    judgements = {test.judgement for test in tests.values()}
    if judgements == {SLOWER}:
        mark = ", simulated" if base.simulated else ""
        return f"{base.variant.name} is the fastest{mark}"
    if judgements == {NO_DIFFERENCE}:
        return f"no difference in p50 (within {base.plan.effect_percent:g} %)"
    doubtful = [test for test in tests.values() if test.judgement == CANNOT_TELL]
    if not doubtful:
        return "no candidate is faster"
    return f"whether one is faster can't be told: {needed_text(max(doubtful, key=_needed))}"


def _needed(test: LatencyTest) -> int:
    return test.needed or 0
