"""The worker's load cycles: load, infer once, release, again and again in one process.

What a process has not got back after a release and lacks more of with every cycle, it leaks. What the C
library keeps of freed memory is given back first: small leaks would vanish in it for hundreds of cycles.
The first cycle is the first load of the process: librknnrt and its allocators are new to it then.
"""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING, Callable

from rkbench_agent.board.memory import dma_buf_bytes, memory_available_bytes, resident_bytes
from rkbench_agent.errors import RuntimeFailureError
from rkbench_agent.libc import give_back_freed
from rkbench_agent.wire.messages import LoadCycle
from rkbench_agent.wire.words import LOAD

if TYPE_CHECKING:
    from rkbench_agent.run.answers import AnswerStream
    from rkbench_agent.runtimes.base import Runtime


def run_cycles(
    run: str,
    count: int,
    new_runtime: Callable[[], Runtime],
    prepare: Callable[[Runtime], None],
    answers: AnswerStream,
    root: Path,
    simulated: bool,
) -> None:
    """Send one LoadCycle for each of `count` cycles. `prepare` feeds a loaded runtime its inputs."""
    for cycle in range(count):
        answers.control(stage=LOAD)
        runtime = new_runtime()
        runtime.enter(LOAD)
        start_ns = runtime.clock_ns()
        runtime.read()
        runtime.initialise()
        loaded_ns = runtime.clock_ns()
        prepare(runtime)
        if runtime.infer() is None:
            raise RuntimeFailureError("the runtime returned no outputs")
        infered_ns = runtime.clock_ns()
        runtime.release()
        released_ns = runtime.clock_ns()
        del runtime
        gc.collect()
        give_back_freed()
        answers.send(
            LoadCycle(
                run,
                cycle,
                loaded_ns - start_ns,
                released_ns - infered_ns,
                resident_bytes(),
                None if simulated else dma_buf_bytes(),
                None if simulated else memory_available_bytes(root),
            )
        )
        answers.mark()
