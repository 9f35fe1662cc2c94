"""Two models on one NPU: each alone, then both at once, each calling again as soon as it can.

What a call yields under load is looked at in calls of their own: no look lies beside a timed region.
"""

from __future__ import annotations

from typing import Any, List, Optional, Sequence, Tuple

from rkbench_agent.runtimes.base import Runtime
from rkbench_agent.runtimes.lanes import Engine, EveryLane, Lane
from rkbench_agent.scenarios.base import Beat
from rkbench_agent.scenarios.soak import Digests


class Watch:
    """Tells which outputs of a model differ from those of its first call; the inputs are the same."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._digests: List[Digests] = []

    def look(self, result: Any) -> None:
        """Take into account what one call returned; None where nothing is known of its outputs."""
        outputs: Optional[List[Any]] = self._runtime.outputs(result)
        if not self._digests:
            self._digests = [Digests() for _ in outputs or ()]
        for digests, output in zip(self._digests, outputs or ()):
            digests.look([output])

    @property
    def seen(self) -> int:
        """How many calls it knows the outputs of."""
        return self._digests[0].seen if self._digests else 0

    def changed(self) -> List[Tuple[int, int]]:
        """Return the outputs that differed, by number, and in how many calls each did."""
        return [(number, one.changed) for number, one in enumerate(self._digests) if one.changed]


def keep_busy(
    lanes: Sequence[Lane],
    engine: Engine,
    iterations: int,
    duration_ns: int,
    *,
    limit_ns: int = 0,
    beat: Beat,
) -> None:
    """Keep all lanes busy until each made `iterations` calls and `duration_ns` are over, or `limit_ns`.

    Raises RuntimeFailureError with what ended the first that failed, and its name.
    """
    start_ns = max(lane.runtime.clock_ns() for lane in lanes)
    limit_at_ns = start_ns + limit_ns if limit_ns else 0
    engine.run(lanes, EveryLane(lanes, iterations, start_ns + duration_ns, limit_at_ns), beat)
