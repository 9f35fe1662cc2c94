"""What a rule of this room is: from a result and what it was made of to the doubts that they raise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from rkbench_agent.wire.board import Reading
from rkbench_agent.wire.caveats import Caveat

from rkbench.results.latencies import RawLatencies
from rkbench.results.model import RunResult


@dataclass(frozen=True)
class Evidence:
    """The raw latencies and sensor readings that a result was made of; `beside` are the latencies of the runs
    that it took turns with."""

    latencies: RawLatencies
    readings: tuple[Reading, ...] = ()
    beside: tuple[RawLatencies, ...] = ()

    @cached_property
    def block_loads(self) -> list[int]:
        """The load of each timed block, in order."""
        return self.latencies.block_loads()


Rule = Callable[[RunResult, Evidence], Iterator[Caveat]]
