"""RKNNLite, the vendor's Python runtime, with what it does not say handled.

It raises nothing: errors are -1 or None and text on stderr, which the supervisor captures. A failed
rknn_run is not reported at all: `inference` returns stale outputs, and only `log_scan` sees the line
that librknnrt printed. All loading happens in `init_runtime`, which must not be given a target on the
board itself. A list as `data_format` is changed in place by the call, so a str is passed.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, List, Optional

from rkbench_agent.errors import RuntimeFailureError
from rkbench_agent.runtimes import rknn_abi
from rkbench_agent.runtimes.base import ModelSetup, NpuMemory, StageTimes
from rkbench_agent.runtimes.core_mask import choose_core_mask
from rkbench_agent.runtimes.rknn_context import RknnContext
from rkbench_agent.wire.caveats import Caveat
from rkbench_agent.wire.provenance import ALL_MEASURED, Provenance
from rkbench_agent.wire.words import MISSING

if TYPE_CHECKING:
    from rkbench_agent.runtimes.base import Array


def new_runtime(setup: ModelSetup, name: str) -> LiteRuntime:
    """Return the runtime of the registry's entry `name`."""
    del name
    return LiteRuntime(setup)


class LiteRuntime:
    """Implements `base.Runtime` with rknnlite.api.RKNNLite."""

    replays = False
    #: RKNNLite has nothing like rknn_dup_context: every instance holds the weights.
    shares_weights = False

    def __init__(self, setup: ModelSetup) -> None:
        self._setup = setup
        self.clock_ns = time.perf_counter_ns
        self._mask, self._caveats = choose_core_mask(setup)
        self._lite: Any = _new_lite()
        self._inputs: List[Array] = []
        self._data_format: Optional[str] = None
        self._run_perf: Any = None

    def provenance(self) -> Provenance:
        """Return where each kind of number comes from: all of them were measured here."""
        return ALL_MEASURED

    def enter(self, stage: str) -> None:
        """Nothing depends on the stage."""

    def read(self) -> None:
        """Bring the file into memory; RKNNLite does not look at it yet."""
        if self._lite.load_rknn(self._setup.model_path) != 0:
            raise RuntimeFailureError("RKNNLite.load_rknn could not read the model")

    def initialise(self) -> None:
        """Load the model onto the NPU."""
        code = self._lite.init_runtime(core_mask=self._mask) if self._mask else self._lite.init_runtime()
        if code != 0:
            raise RuntimeFailureError(f"RKNNLite.init_runtime returned {code}")

    def another(self, core_mask: str) -> LiteRuntime:
        """Return another instance, loaded from the file again: RKNNLite cannot share weights."""
        instance = LiteRuntime(replace(self._setup, core_mask=core_mask))
        instance.read()
        instance.initialise()
        return instance

    def feed(self, inputs: List[Array]) -> None:
        """Set the inputs; four-dimensional ones are NHWC."""
        self._inputs = inputs
        self._data_format = "nhwc" if all(array.ndim == 4 for array in inputs) else None

    def infer(self) -> object:
        """Run once; None if RKNNLite reports an error."""
        result: object = self._lite.inference(inputs=self._inputs, data_format=self._data_format)
        return result

    def outputs(self, result: Any) -> Optional[List[Array]]:
        """Return the outputs as RKNNLite gave them (float32)."""
        return list(result)

    def stage_times(self) -> StageTimes:
        """Return what librknnrt says of its last run; the other parts cannot be told apart."""
        if self._run_perf is None:
            self._run_perf = self._find_run_perf()
        return StageTimes(run_ns=self._run_perf() if self._run_perf else None)

    def npu_memory(self) -> NpuMemory:
        """Return what librknnrt says of the model's memory; None where it cannot be asked.

        RKNNLite has no call for it, but its runtime object shows library and handle (`_private_context`).
        """
        context = self._private_context()
        if context is None:
            return NpuMemory()
        try:
            return context.memory()
        except RuntimeFailureError:  # an old librknnrt: then it is unknown
            return NpuMemory()

    def caveats(self) -> List[Caveat]:
        """Return the doubts so far."""
        return list(self._caveats)

    def begin_block(self, clock_ns: int, worked_ns: int) -> None:
        """A real clock goes by itself."""

    def release(self) -> None:
        """Give the NPU back."""
        self._lite.release()
        self._lite = None

    def _private_context(self) -> Optional[RknnContext]:
        """Return RKNNLite's own context, seen in 2.5.0 as `rknn_runtime.lib` and `.context`.

        Not of a model with dynamic shapes: librknnrt 1.5.2 aborts when asked before its shapes are set.
        """
        runtime = getattr(self._lite, "rknn_runtime", None)
        path = getattr(getattr(runtime, "lib", None), "_name", None)
        handle = getattr(runtime, "context", None)
        if not isinstance(path, str) or not isinstance(handle, int) or not handle:
            return None
        if getattr(runtime, "is_dynamic_shape", True):
            return None
        try:
            return RknnContext(rknn_abi.open_library(path), handle)
        except (OSError, AttributeError):  # no library of the kind we know: then it is unknown
            return None

    def _find_run_perf(self) -> Any:
        """Return a function that yields the NPU's run time in ns, or False if there is none that works."""
        query = getattr(getattr(self._lite, "rknn_runtime", None), "get_run_perf", None)
        if query is None:
            return False

        def run_ns() -> Optional[int]:
            return _microseconds_to_ns(query())

        try:
            return run_ns if run_ns() is not None else False
        except Exception:  # noqa: BLE001 - private and compiled: whatever it raises, it does not work here
            return False


def _microseconds_to_ns(value: Any) -> Optional[int]:
    """Return nanoseconds, or None for what is no positive number. RKNNLite 2.5.0 gives text: "1234"."""
    if isinstance(value, str) and value.strip().isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        return None
    return int(value * 1000)


def _new_lite() -> Any:
    try:
        from rknnlite.api import RKNNLite
    except ImportError as error:
        missing = error.name or "rknnlite"
        raise RuntimeFailureError(
            f"cannot import RKNNLite: {error}",
            reason=MISSING,
            advice=(
                "pip install rknn-toolkit-lite2 in the Python that the board's entry names"
                if missing.startswith("rknnlite")
                else f"pip install {missing} in the Python that the board's entry names"
            ),
        ) from error
    return RKNNLite()
