"""What the timed region of each scenario adds to a bare call, with a null runtime."""

from __future__ import annotations

import statistics
import time
from array import array
from typing import Any

from rkbench_agent.runtimes.base import StageTimes
from rkbench_agent.runtimes.lanes import ClosedLoop, Lane
from rkbench_agent.runtimes.threads import Threads
from rkbench_agent.scenarios.single_stream import run_block
from rkbench_agent.scenarios.soak import Digests, run_window

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

    def outputs(self, _: object) -> None:
        """Know nothing."""


_NO_STAGES = StageTimes()


def run() -> list[Ratio]:
    """Return p50 of the null runtime's latencies against p50 of two clock reads around a bare call.

    A latency of `server` runs from when its call was due, so what the agent does before is in it.
    """
    runtime: Any = NullRuntime()
    bare = array("q", bytes(8 * ITERATIONS))
    infer, clock_ns = runtime.infer, time.perf_counter_ns
    for i in range(ITERATIONS):
        infer()
        bare[i] = -clock_ns() + clock_ns()
    clock = statistics.median(bare) / 1e3
    lane = Lane(runtime)
    Threads().run([lane], ClosedLoop(ITERATIONS, 0, 0), lambda: None)
    scenarios = {
        "single_stream": run_block(runtime, ITERATIONS).duration_ns,
        "offline": lane.duration_ns,
        "server": _served(runtime),
        "soak": run_window(runtime, 10**15, ITERATIONS, Digests(), lambda: None).duration_ns,
    }
    return [
        Ratio(
            f"timed region of {name} over two bare clock reads (p50)",
            statistics.median(durations) / 1e3,
            clock,
            "µs",
            1.0,
            absolute=True,
        )
        for name, durations in scenarios.items()
    ]


class _AtOnce:
    """Every call is due just when a lane asks: its latency is what the agent itself adds."""

    scheduled = True

    def __init__(self) -> None:
        self._left = ITERATIONS

    def take(self, now_ns: int) -> int | None:
        """Return now, so many times."""
        self._left -= 1
        return now_ns if self._left >= 0 else None


def _served(runtime: Any) -> array[int]:
    lane = Lane(runtime)
    Threads().run([lane], _AtOnce(), lambda: None)
    return lane.duration_ns
