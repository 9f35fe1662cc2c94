"""What a worker asks of a runtime, and how a runtime says that it cannot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, List, Optional, Protocol

from rkbench_agent.wire.caveats import Caveat
from rkbench_agent.wire.plan import RunSpec
from rkbench_agent.wire.provenance import Provenance
from rkbench_agent.wire.words import AUTO

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.generic]


@dataclass(frozen=True)
class StageTimes:
    """How long the parts of the last inference took, in nanoseconds; None where not told.

    `device_ns` is the runtime's own figure of the NPU's time, where `run_ns` is the wall clock of its call.
    """

    set_inputs_ns: Optional[int] = None
    run_ns: Optional[int] = None
    get_outputs_ns: Optional[int] = None
    device_ns: Optional[int] = None


@dataclass(frozen=True)
class NpuMemory:
    """What the runtime says of the NPU's memory, in bytes; None where it does not."""

    weight_bytes: Optional[int] = None
    internal_bytes: Optional[int] = None
    total_bytes: Optional[int] = None
    sram_bytes: Optional[int] = None


@dataclass(frozen=True)
class ModelSetup:
    """What a runtime is given: one variant, the board that it is on, and what the user asked for.

    `soc` and `npu_cores` are None where the board does not say. `behaviour_path` is the virtual runtime's
    behaviour file; `clock_ns` is where its clock starts.
    """

    spec: RunSpec
    model_path: str
    core_mask: str = AUTO
    soc: Optional[str] = None
    replay_path: Optional[str] = None
    behaviour_path: Optional[str] = None
    clock_ns: int = 0
    npu_cores: Optional[int] = None
    #: How long the blocks of the plan before took, and where the sensors are that a virtual board moves.
    worked_ns: int = 0
    sys_root: Optional[str] = None


class Runtime(Protocol):
    """Runs one model. Calls come in this order: read, initialise, (feed, infer...)..., release.

    Every method may raise RuntimeFailureError.
    """

    #: True where outputs are replayed, so that equal outputs prove nothing.
    replays: bool
    #: True where `another` holds the weights in memory once.
    shares_weights: bool

    def clock_ns(self) -> int:
        """Return the time of the clock that iterations are timed with (CLOCK_MONOTONIC, or virtual)."""
        ...

    def provenance(self) -> Provenance:
        """Return where each kind of number comes from."""
        ...

    def enter(self, stage: str) -> None:
        """Learn that `stage` (one of `protocol.STAGES`) begins."""
        ...

    def read(self) -> None:
        """Bring the file into memory."""
        ...

    def initialise(self) -> None:
        """Load the model onto the NPU."""
        ...

    def feed(self, inputs: List[Array]) -> None:
        """Set what the next inferences are given, in the model's order of inputs."""
        ...

    def infer(self) -> object:
        """Run once: the timed call. None means that the runtime failed."""
        ...

    def outputs(self, result: Any) -> Optional[List[Array]]:
        """Return the output tensors of what `infer` returned; None if nothing is known of them."""
        ...

    def stage_times(self) -> StageTimes:
        """Return the parts of the last inference."""
        ...

    def npu_memory(self) -> NpuMemory:
        """Return what the loaded model takes on the NPU."""
        ...

    def another(self, core_mask: str) -> Runtime:
        """Return another context of the loaded model on the cores named, loaded as this one is."""
        ...

    def caveats(self) -> List[Caveat]:
        """Return every doubt so far."""
        ...

    def begin_block(self, clock_ns: int, worked_ns: int) -> None:
        """Learn that a block begins.

        A virtual clock stands at `clock_ns` or later then; a real clock does that by itself. `worked_ns` is
        how long all blocks of the plan before took.
        """
        ...

    def release(self) -> None:
        """Give everything back."""
        ...
