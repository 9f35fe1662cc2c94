"""The runtimes by name: where each is, what it needs, and which of them can tell the time of each layer."""

from __future__ import annotations

from typing import Dict, NamedTuple, Optional

from rkbench_agent.errors import RuntimeFailureError
from rkbench_agent.runtimes.base import ModelSetup, Runtime
from rkbench_agent.wire.words import BAD_INPUT, CAPI, CAPI_ZERO_COPY, LITE, MISSING, RUNTIMES, VIRTUAL


class RuntimeEntry(NamedTuple):
    """`module` is imported on use, and its `new_runtime(setup, name)` called. `profiler` is the runtime
    that times the layers of a file for this one (None: itself); `needs` is what must be installed."""

    module: str
    profiler: Optional[str] = None
    needs: str = ""


REGISTRY: Dict[str, RuntimeEntry] = {
    # RKNNLite cannot profile; the C API can, and reads the same file.
    LITE: RuntimeEntry("lite", profiler=CAPI, needs="rknn-toolkit-lite2"),
    CAPI: RuntimeEntry("capi", needs="librknnrt.so"),
    CAPI_ZERO_COPY: RuntimeEntry("capi", profiler=CAPI, needs="librknnrt.so"),
    VIRTUAL: RuntimeEntry("virtual"),
}


def new_runtime(name: str, setup: ModelSetup) -> Runtime:
    """Return the runtime called `name`; raises RuntimeFailureError where it is unknown or lacks something."""
    try:
        import numpy  # noqa: F401  # every runtime needs it: say so before anything else fails
    except ImportError as error:
        raise RuntimeFailureError(
            f"cannot import numpy: {error}",
            reason=MISSING,
            advice="pip install numpy in the Python that the board's entry names",
        ) from error
    entry = REGISTRY.get(name)
    if entry is None:
        *others, last = RUNTIMES
        advice = f"{', '.join(others)} or {last}"
        raise RuntimeFailureError(f"no runtime {name!r}", reason=BAD_INPUT, advice=advice)
    from importlib import import_module

    runtime: Runtime = import_module(f"rkbench_agent.runtimes.{entry.module}").new_runtime(setup, name)
    return runtime


def profiler_of(name: str) -> str:
    """Return the runtime that can tell the time of each layer of what `name` runs."""
    entry = REGISTRY.get(name)
    return (entry.profiler if entry else None) or name
