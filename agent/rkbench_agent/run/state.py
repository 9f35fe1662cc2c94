"""What the conductor of a plan knows: the board, and how far each run is."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict, List, Optional, Protocol

from rkbench_agent.board.pinning import Pin
from rkbench_agent.run.schedule import Standing
from rkbench_agent.wire.board import Environment
from rkbench_agent.wire.caveats import Caveat
from rkbench_agent.wire.messages import Message
from rkbench_agent.wire.plan import RunSpec
from rkbench_agent.wire.provenance import Provenance
from rkbench_agent.wire.words import AUTO


class Host(Protocol):
    """Who asked for the plan: where everything goes that it yields. Raises HostGoneError."""

    def send(self, message: Message) -> None:
        """Send one message."""
        ...

    def forward(self, line: bytes) -> None:
        """Send a message that a worker has encoded already."""
        ...

    def doubt(self, code: str, text: str, advice: str = "") -> None:
        """Send a caveat of the board as a whole; `code` is one of WEIGHTS."""
        ...


@dataclass(frozen=True)
class PlanBoard:
    """What a plan runs on; `pin` is None where nobody asked for pinned clocks."""

    root: Path
    environment: Environment
    #: Returns where the file of a digest lies, verified; None where the cache has none. Raises StorageError.
    locate: Callable[[str], Optional[Path]]
    pin: Optional[Pin] = None

    @property
    def big_cpus(self) -> List[int]:
        """Return the CPUs to place workers on; empty: all of them."""
        return self.pin.pinning.big_cpus if self.pin is not None else []


@dataclass
class RunState:
    """How far one run is."""

    spec: RunSpec
    iterations: int = 0
    duration_ns: int = 0
    block: int = 0
    #: The number of the load in which runs take turns.
    load: int = 0
    #: How many of its loads the host was told of; the first is alone on the board.
    reported: int = 0
    #: How long a call took while the run warmed up; None before.
    warm_call_ns: Optional[float] = None
    readings_inside: int = 0
    need_bytes: Optional[int] = None
    #: Of the worker that holds its model.
    core_mask: str = AUTO
    #: By how much its worker grew within the timed block in which it grew most, and that block's calls.
    growth_bytes: Optional[int] = None
    growth_iterations: Optional[int] = None
    #: Steps of its scenario that are measured, and what the host asks for next.
    steps: int = 0
    next_rate_per_s: Optional[float] = None
    over: bool = False
    enough: bool = False
    provenance: Provenance = field(default_factory=Provenance)
    caveats: Dict[str, Caveat] = field(default_factory=dict)

    @property
    def standing(self) -> Standing:
        """Return what is timed of it."""
        return Standing(self.iterations, self.duration_ns, self.block)

    def grow(self, growth_bytes: Optional[int], iterations: int) -> None:
        """Take notice of how much the worker grew within one timed block of so many calls."""
        if growth_bytes is not None and (self.growth_bytes is None or growth_bytes > self.growth_bytes):
            self.growth_bytes, self.growth_iterations = growth_bytes, iterations

    def add_caveats(self, caveats: List[Caveat]) -> None:
        """Keep each doubt once."""
        for caveat in caveats:
            self.caveats.setdefault(caveat.code, caveat)


class PlanClock:
    """The time of a plan, in nanoseconds: no run begins before another's virtual clock has stopped.

    `worked_ns` is the sum of its blocks, warm-up included: the same for the same plan on a virtual clock.
    """

    def __init__(self) -> None:
        self.now_ns = self.worked_ns = 0

    def reach(self, time_ns: int) -> None:
        """Let it be at least `time_ns`."""
        self.now_ns = max(self.now_ns, time_ns)
