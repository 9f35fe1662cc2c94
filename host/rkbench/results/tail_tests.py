"""Whether the slowest calls of one run are slower than those of another: shares above one threshold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rkbench.results.latencies import RawLatencies
from rkbench.results.model import RunResult
from rkbench.results.pairs import TurnQuad, quads_by_load, turns_of
from rkbench.stats.paired import Quad, joint_confidence
from rkbench.stats.quantiles import calls_for
from rkbench.stats.shares import tail_difference
from rkbench.units import MARK, format_seconds

PERCENT = 99.0
NS_PER_S = 1e9


@dataclass(frozen=True)
class TailTest:
    """Which shares (0..1) of the calls of `run` and of `against` take longer than `threshold_s`, the p99 of
    both together.

    `low` and `high` bound the difference of the shares with `confidence`; None where the units are too few.
    """

    run: str
    against: str
    percent: float
    threshold_s: float
    share: float
    share_against: float
    low: float | None
    high: float | None
    confidence: float

    @property
    def differs(self) -> bool:
        """Whether one tail is heavier beyond chance."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def tail_tests(
    base: RunResult, others: Sequence[RunResult], latencies: Mapping[str, RawLatencies]
) -> tuple[TailTest, ...]:
    """Return the test of each of `others` that took turns with `base`, and whose calls carry a p99."""
    return tuple(_tests(base, others, latencies))


def _tests(
    base: RunResult, others: Sequence[RunResult], latencies: Mapping[str, RawLatencies]
) -> Iterator[TailTest]:
    confidence = joint_confidence(len(others))
    for run in others:
        if base.push != run.push or min(map(_count, (base, run))) < calls_for(PERCENT):
            continue
        loads = quads_by_load(*(turns_of(latencies.get(item.id, RawLatencies())) for item in (base, run)))
        if not loads:
            continue
        found = tail_difference(
            [[_durations(quad) for quad in quads] for quads in loads], PERCENT, confidence
        )
        yield TailTest(
            run.id,
            base.id,
            PERCENT,
            found.threshold / NS_PER_S,
            found.share_b,
            found.share_a,
            found.low,
            found.high,
            confidence,
        )


def _durations(quad: TurnQuad) -> Quad:
    one, two, three, four = quad
    return one.durations_ns, two.durations_ns, three.durations_ns, four.durations_ns


def _count(run: RunResult) -> int:
    return run.latency.count if run.latency else 0


def tail_sentence(test: TailTest, names: Mapping[str, str], *, simulated: bool) -> str:
    """Return in words whose calls are slow more often; "" where the tails may be the same."""
    if not test.differs:
        return ""
    mark = MARK if simulated else ""
    slow, threshold = f"{mark}{test.share * 100:.1f} %", f"{mark}{format_seconds(test.threshold_s)}"
    other = f"{mark}{test.share_against * 100:.1f} %"
    return f"{slow} of {names[test.run]}'s calls exceed {threshold}, {other} of {names[test.against]}'s."
