"""The timed region: two clock reads and the call, nothing else."""

from __future__ import annotations

import gc
from array import array
from dataclasses import dataclass
from typing import Callable, List, MutableSequence, Optional

from rkbench_agent.runtimes.base import Runtime, RuntimeFailureError, StageTimes


@dataclass
class Block:
    """The iterations of one block, in order, in nanoseconds; `count` of them were run."""

    start_ns: MutableSequence[int]
    duration_ns: MutableSequence[int]
    stages: List[Optional[StageTimes]]
    count: int = 0

    @property
    def total_ns(self) -> int:
        """Sum of all durations."""
        return sum(self.duration_ns[: self.count])


def new_block(iterations: int) -> Block:
    """Return a block with room for `iterations`."""
    return Block(array("q", bytes(8 * iterations)), array("q", bytes(8 * iterations)), [None] * iterations)


def measure(
    runtime: Runtime,
    iterations: int,
    *,
    limit_ns: int = 0,
    beat: Optional[Callable[[], None]] = None,
) -> Block:
    """Time at most `iterations` inferences with the runtime's own clock.

    Stops early once the durations sum up to `limit_ns` (0: no limit). `beat` is called after every
    iteration, outside of the timed region. The garbage collector rests meanwhile. Raises
    RuntimeFailureError where the runtime returns nothing.
    """
    block = new_block(iterations)
    enabled = gc.isenabled()
    gc.disable()
    try:
        _fill(runtime, block, iterations, limit_ns, beat)
    finally:
        if enabled:
            gc.enable()
    return block


def _fill(
    runtime: Runtime, block: Block, iterations: int, limit_ns: int, beat: Optional[Callable[[], None]]
) -> None:
    clock_ns, infer, stage_times = runtime.clock_ns, runtime.infer, runtime.stage_times
    starts_ns, durations_ns, stages = block.start_ns, block.duration_ns, block.stages
    total_ns = 0
    for i in range(iterations):
        start_ns = clock_ns()
        result = infer()
        end_ns = clock_ns()
        if result is None:
            raise RuntimeFailureError("the runtime returned no outputs")
        starts_ns[i] = start_ns
        durations_ns[i] = end_ns - start_ns
        result = None  # outputs are freed here, not inside the next timed region
        stages[i] = stage_times()
        block.count = i + 1
        if beat is not None:
            beat()
        total_ns += end_ns - start_ns
        if limit_ns and total_ns >= limit_ns:
            return
