"""What the conductor of a plan knows: the board, and how far each run is."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict, List, Optional, Protocol

from rkbench_agent.board.pinning import Pin
from rkbench_agent.wire import codec
from rkbench_agent.wire.board import Environment
from rkbench_agent.wire.caveats import Caveat
from rkbench_agent.wire.messages import LoadMemory, Message, Provenance
from rkbench_agent.wire.plan import RunSpec


class Host(Protocol):
    """Who asked for the plan: where everything goes that it yields. Raises HostGoneError."""

    def send(self, message: Message) -> None:
        """Send one message."""
        ...

    def forward(self, line: bytes) -> None:
        """Send a message that a worker has encoded already."""
        ...

    def log(self, text: str) -> None:
        """Send a line of the agent's own."""
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
        return self.pin.conditions.big_cpus if self.pin is not None else []


@dataclass
class RunState:
    """How far one run is."""

    spec: RunSpec
    iterations: int = 0
    duration_ns: int = 0
    block: int = 0
    readings_inside: int = 0
    need_bytes: Optional[int] = None
    over: bool = False
    enough: bool = False
    provenance: Provenance = field(default_factory=Provenance)
    caveats: Dict[str, Caveat] = field(default_factory=dict)

    def add_caveats(self, caveats: List[Caveat]) -> None:
        """Keep each doubt once."""
        for caveat in caveats:
            self.caveats.setdefault(caveat.code, caveat)


class NeededMemory:
    """What a resident worker needs, from its own load memory."""

    def __init__(self) -> None:
        self._needs: List[int] = []
        self._available: List[int] = []

    def add(self, line: bytes) -> None:
        """Take an encoded LoadMemory into account."""
        message = codec.decode(line)
        assert isinstance(message, LoadMemory)
        npu = message.dma_buf_bytes or message.npu_total_bytes or 0
        if message.rss_bytes is not None:
            self._needs.append(message.rss_bytes + npu)
        if message.memory_available_bytes is not None:
            self._available.append(message.memory_available_bytes)

    def need_bytes(self) -> Optional[int]:
        """Return the larger of the process's own figure and what the board lost; None if both are unknown."""
        needs = list(self._needs)
        if self._available:
            needs.append(self._available[0] - min(self._available))
        return max(needs) if needs else None
