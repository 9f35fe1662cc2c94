"""What the latencies themselves show, block by block."""

from __future__ import annotations

from collections.abc import Iterator

from rkbench_agent.wire.caveats import Caveat, caveat

from rkbench.runs.caveats.rule import Rule
from rkbench.runs.latencies import RawLatencies
from rkbench.runs.model import RunResult
from rkbench.stats.summary import is_bimodal, variation

#: As trtexec warns: a coefficient of variation above this makes a mean doubtful.
MAXIMUM_VARIATION = 0.025


def _variation(_: RunResult, latencies: RawLatencies) -> Iterator[Caveat]:
    durations_ns = latencies.timed()
    ratio = variation(durations_ns)
    if is_bimodal(durations_ns):
        yield caveat(
            "bimodal",
            "latencies fall into two heaps: their mean and p50 describe neither",
            "look at bench export --raw; pin clocks and cores (--cores 0)",
        )
    elif ratio is not None and ratio > MAXIMUM_VARIATION:
        yield caveat(
            "variation",
            f"latencies vary by {ratio * 100:.1f} % (stddev/mean; above 2.5 % is doubtful)",
            "pin the clocks, stop other load, measure longer (--duration 30)",
        )


SERIES_RULES: tuple[Rule, ...] = (_variation,)
