"""As many inferences as the board can do: several contexts, each calling again as soon as it can."""

from __future__ import annotations

from typing import Callable, List, Optional, Sequence

from rkbench_agent.runtimes.base import Runtime
from rkbench_agent.runtimes.lanes import ClosedLoop, Engine, Lane
from rkbench_agent.runtimes.threads import Threads
from rkbench_agent.scenarios.base import Beat


def engine_of(runtime: Runtime) -> Engine:
    """Return what lets contexts of this runtime run beside each other: threads, or its own `engine`."""
    own: Optional[Callable[[], Engine]] = getattr(runtime, "engine", None)
    return own() if own is not None else Threads()


def run_contexts(
    contexts: Sequence[Runtime],
    engine: Engine,
    iterations: int,
    duration_ns: int,
    *,
    limit_ns: int = 0,
    beat: Beat,
) -> List[Lane]:
    """Keep all contexts busy, until they did `iterations` in all and `duration_ns` are over, or `limit_ns`.

    Returns what each of them did. Raises RuntimeFailureError with what ended the first that failed.
    """
    lanes = [Lane(context) for context in contexts]
    start_ns = max(context.clock_ns() for context in contexts)
    engine.run(lanes, ClosedLoop(iterations, duration_ns, start_ns, limit_ns), beat)
    return lanes
