"""The latencies of a block, on their way to the host in batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterator, List, Optional, Union

from rkbench_agent.runtimes.base import StageTimes
from rkbench_agent.wire.messages import Latencies

if TYPE_CHECKING:
    from rkbench_agent.runtimes.lanes import Lane
    from rkbench_agent.scenarios.base import Block

BATCH_ITERATIONS = 500


def batches(
    run: str, number: int, warmup: bool, block: Union[Block, Lane], *, load: int = 0, unread: int = 0
) -> Iterator[Latencies]:
    """Yield the iterations of one block, in order, of which the first `unread` count for nothing.

    A stage is told where it is known of all of a batch.
    """
    for start in range(0, block.count, BATCH_ITERATIONS):
        part = slice(start, min(start + BATCH_ITERATIONS, block.count))
        stages = [stage or StageTimes() for stage in block.stages[part]]
        yield Latencies(
            run,
            number,
            warmup,
            list(block.start_ns[part]),
            list(block.duration_ns[part]),
            _known([stage.set_inputs_ns for stage in stages]),
            _known([stage.run_ns for stage in stages]),
            _known([stage.get_outputs_ns for stage in stages]),
            _known([stage.device_ns for stage in stages]),
            load,
            max(0, min(unread - start, len(stages))),
        )


def _known(values: List[Optional[int]]) -> Optional[List[int]]:
    known = [value for value in values if value is not None]
    return known if known and len(known) == len(values) else None
