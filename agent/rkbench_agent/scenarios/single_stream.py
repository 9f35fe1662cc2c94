"""One inference after the other. The timed region: two clock reads and the call, nothing else."""

from __future__ import annotations

import gc
from typing import Optional

from rkbench_agent.errors import RuntimeFailureError
from rkbench_agent.runtimes.base import Runtime
from rkbench_agent.scenarios.base import Beat, Block, new_block


def run_block(
    runtime: Runtime, iterations: int, *, limit_ns: int = 0, unread: int = 0, beat: Optional[Beat] = None
) -> Block:
    """Time at most `iterations` inferences (see `base.Scenario`). The garbage collector rests meanwhile."""
    block = new_block(iterations)
    enabled = gc.isenabled()
    gc.disable()
    try:
        _fill(runtime, block, iterations, limit_ns, unread, beat)
    finally:
        if enabled:
            gc.enable()
    return block


def _fill(
    runtime: Runtime, block: Block, iterations: int, limit_ns: int, unread: int, beat: Optional[Beat]
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
        total_ns += end_ns - start_ns if i >= unread else 0
        if limit_ns and total_ns >= limit_ns:
            return
