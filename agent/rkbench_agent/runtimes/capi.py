"""librknnrt.so through ctypes: what RKNNLite does, with nothing hidden.

Return codes are seen, the three calls of an inference are timed apart, and the runtime tells memory and
device time. With `zero_copy` inputs and outputs live in memory that the NPU shares, and an inference is
rknn_run alone. The official FPS table means rknn_run only: compare it with the stage `run`.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, List, Optional, Tuple

from rkbench_agent.board.libraries import find_library
from rkbench_agent.errors import RuntimeFailureError
from rkbench_agent.runtimes import rknn_abi as abi
from rkbench_agent.runtimes.base import ModelSetup, NpuMemory, StageTimes
from rkbench_agent.runtimes.core_mask import choose_core_mask
from rkbench_agent.runtimes.rknn_context import DEFAULT_FLAGS, RknnContext, TensorInfo, Versions, describe
from rkbench_agent.runtimes.rknn_io import CopiedIo, SharedIo
from rkbench_agent.wire.caveats import Caveat
from rkbench_agent.wire.provenance import ALL_MEASURED, Provenance
from rkbench_agent.wire.words import CAPI_ZERO_COPY, MISSING

if TYPE_CHECKING:
    from rkbench_agent.runtimes.base import Array

#: Names a librknnrt.so to load instead of the installed one, to try another version without root.
LIBRARY_VARIABLE = "RKBENCH_LIBRKNNRT"
PROFILED_WARMUPS = 2


def new_runtime(setup: ModelSetup, name: str) -> CapiRuntime:
    """Return the runtime of the registry's entry `name`."""
    return CapiRuntime(setup, zero_copy=name == CAPI_ZERO_COPY)


class CapiRuntime:
    """Implements `base.Runtime` with the C API."""

    replays = False

    def __init__(self, setup: ModelSetup, *, zero_copy: bool = False) -> None:
        self._setup = setup
        self._zero_copy = zero_copy
        self.clock_ns = time.perf_counter_ns
        self._mask, self._caveats = choose_core_mask(setup)
        self._library = load_library()
        self._model = b""
        self._context: Optional[RknnContext] = None
        self._io: Any = None
        self._fed: List[Array] = []

    def provenance(self) -> Provenance:
        """Return where each kind of number comes from: all of them were measured here."""
        return ALL_MEASURED

    def enter(self, stage: str) -> None:
        """Nothing depends on the stage."""

    def read(self) -> None:
        """Bring the file into memory."""
        try:
            self._model = Path(self._setup.model_path).read_bytes()
        except OSError as error:
            raise RuntimeFailureError(f"cannot read the model: {error}") from error

    def initialise(self) -> None:
        """Load the model onto the NPU; the file's bytes are let go of then."""
        self._take(RknnContext.load(self._library, self._model, self._mask))
        self._model = b""

    @property
    def shares_weights(self) -> bool:
        """Whether `another` holds the weights once: where librknnrt has rknn_dup_context."""
        return self._loaded().can_duplicate

    def another(self, core_mask: str) -> CapiRuntime:
        """Return another context of the model: a duplicate where librknnrt can, else loaded once more."""
        copy = CapiRuntime(replace(self._setup, core_mask=core_mask), zero_copy=self._zero_copy)
        if self._loaded().can_duplicate:
            copy._take(self._loaded().duplicate(copy._mask))
        else:
            copy.read()
            copy.initialise()
        return copy

    def _take(self, context: RknnContext) -> None:
        self._context = context
        inputs, outputs = context.attributes()
        make_io = SharedIo if self._zero_copy else CopiedIo
        self._io = make_io(self._library, context, inputs, outputs)

    def feed(self, inputs: List[Array]) -> None:
        """Set the inputs; four-dimensional ones are NHWC."""
        self._fed = inputs
        self._io.feed(inputs)

    def infer(self) -> object:
        """Run once; the parts are timed inside, by four clock reads."""
        return self._io.infer(self.clock_ns)

    def outputs(self, result: Any) -> Optional[List[Array]]:
        """Return copies of the outputs: float32, in the model's own shapes."""
        del result  # the buffers are the same every time
        outputs: List[Array] = self._io.outputs()
        return outputs

    def stage_times(self) -> StageTimes:
        """Return the parts of the last inference, and what the runtime says of the NPU's own time."""
        set_inputs_ns, run_ns, get_outputs_ns = self._io.stages_ns
        return StageTimes(set_inputs_ns, run_ns, get_outputs_ns, self._loaded().device_ns())

    def npu_memory(self) -> NpuMemory:
        """Return what the runtime says of the model's memory."""
        return self._loaded().memory() if self._context else NpuMemory()

    def versions(self) -> Versions:
        """Return the versions of runtime and driver as the runtime tells them."""
        return self._loaded().versions()

    def tensors(self) -> Tuple[List[TensorInfo], List[TensorInfo]]:
        """Return inputs and outputs as the runtime tells them."""
        inputs, outputs = self._loaded().attributes()
        return [describe(attr) for attr in inputs], [describe(attr) for attr in outputs]

    def custom_string(self) -> str:
        """Return the text that was put into the model when it was built."""
        return self._loaded().custom_string()

    def profile(self) -> str:
        """Return the runtime's table of time per layer, as it prints it.

        It comes from a context of its own with the same inputs: collecting it slows the runs down. That
        context is gone afterwards; the clean one has not been touched.
        """
        model = Path(self._setup.model_path).read_bytes()
        context = RknnContext.load(self._library, model, self._mask, DEFAULT_FLAGS | abi.FLAG_COLLECT_PERF)
        try:
            io = CopiedIo(self._library, context, *context.attributes())
            io.feed(self._fed)
            for _ in range(PROFILED_WARMUPS + 1):
                io.infer(self.clock_ns)
            return context.profile_text()
        finally:
            context.destroy()

    def caveats(self) -> List[Caveat]:
        """Return the doubts so far."""
        return list(self._caveats)

    def begin_block(self, clock_ns: int, worked_ns: int) -> None:
        """A real clock goes by itself."""

    def release(self) -> None:
        """Give the NPU back."""
        if self._context:
            self._io.close()
            self._context.destroy()
        self._context = None

    def _loaded(self) -> RknnContext:
        if self._context is None:
            raise RuntimeFailureError("no model is loaded")
        return self._context


def load_library() -> Any:
    """Return librknnrt.so: the one that RKBENCH_LIBRKNNRT names, else the installed one."""
    named = os.environ.get(LIBRARY_VARIABLE)
    path = named or str(find_library(Path("/")) or "librknnrt.so")
    try:
        return abi.open_library(path)
    except (OSError, AttributeError) as error:
        raise RuntimeFailureError(
            f"cannot load librknnrt: {error}",
            reason=MISSING,
            advice=f"put librknnrt.so of the toolkit's version into /usr/lib, or set {LIBRARY_VARIABLE}",
        ) from error
