"""What a rule of this room is: from a result and its raw latencies to the doubts that they raise."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rkbench_agent.wire.caveats import Caveat

from rkbench.runs.latencies import RawLatencies
from rkbench.runs.model import RunResult

Rule = Callable[[RunResult, RawLatencies], Iterator[Caveat]]
