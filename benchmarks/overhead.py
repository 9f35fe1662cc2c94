"""What the timed region adds to a bare call: run_block() with a null runtime."""

from __future__ import annotations

import statistics
import time
from array import array

from rkbench_agent.runtimes.base import StageTimes
from rkbench_agent.scenarios.single_stream import run_block

from benchmarks.ratio import Ratio

ITERATIONS = 20_000


class NullRuntime:
    """A runtime whose inference does nothing."""

    clock_ns = staticmethod(time.perf_counter_ns)

    def infer(self) -> object:
        """Return at once."""
        return True

    def stage_times(self) -> StageTimes:
        """Tell nothing."""
        return _NO_STAGES


_NO_STAGES = StageTimes()


def run() -> list[Ratio]:
    """Return p50 of the null runtime's latencies against p50 of two clock reads around a bare call."""
    runtime = NullRuntime()
    bare = array("q", bytes(8 * ITERATIONS))
    infer, clock_ns = runtime.infer, time.perf_counter_ns
    for i in range(ITERATIONS):
        infer()
        bare[i] = -clock_ns() + clock_ns()
    block = run_block(runtime, ITERATIONS)  # type: ignore[arg-type]  # only what measure needs
    ours = statistics.median(block.duration_ns) / 1e3
    clock = statistics.median(bare) / 1e3
    return [Ratio("timed region over two bare clock reads (p50)", ours, clock, "µs", 1.0, absolute=True)]
