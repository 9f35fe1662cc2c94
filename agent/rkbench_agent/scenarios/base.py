"""What a scenario is: it times one block of inferences, and computes nothing of them."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import Callable, List, MutableSequence, Optional, Protocol

from rkbench_agent.runtimes.base import Runtime, StageTimes

Beat = Callable[[], None]


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


class Scenario(Protocol):
    """A module of this room. The host decides when enough is known, and how long a block is."""

    def run_block(
        self,
        runtime: Runtime,
        iterations: int,
        *,
        limit_ns: int = 0,
        unread: int = 0,
        beat: Optional[Beat] = None,
    ) -> Block:
        """Time at most `iterations` inferences with the runtime's own clock.

        Stops early once the durations, without those of the first `unread`, sum up to `limit_ns` (0: no
        limit). `beat` is called after every iteration, outside of the timed region. Raises
        RuntimeFailureError where the runtime returns nothing.
        """
        ...
