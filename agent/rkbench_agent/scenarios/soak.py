"""One inference after the other, for hours: as `single_stream`, but what comes out is looked at every time.

The look lies between two timed regions: it costs time, which no latency holds.
"""

from __future__ import annotations

import gc
import zlib
from typing import Any, List, Optional

from rkbench_agent.errors import RuntimeFailureError
from rkbench_agent.runtimes.base import Runtime
from rkbench_agent.runtimes.lanes import Lane
from rkbench_agent.scenarios.base import Beat
from rkbench_agent.scenarios.single_stream import run_block as run_block  # its warm-up is no other


class Digests:
    """Tells how many outputs differ from the first ones; the inputs are the same every time."""

    def __init__(self) -> None:
        self._first: Optional[int] = None
        self.seen = self.changed = 0
        #: The number of the first iteration whose outputs differ, from 0; None where none does.
        self.first_changed: Optional[int] = None

    def look(self, outputs: Optional[List[Any]]) -> None:
        """Take the outputs of one iteration into account; None where nothing is known of them."""
        if outputs is None:
            return
        digest = 0
        for array in outputs:
            digest = zlib.crc32(memoryview(array).cast("B"), digest)
        if self._first is None:
            self._first = digest
        elif digest != self._first:
            self.changed += 1
            if self.first_changed is None:
                self.first_changed = self.seen
        self.seen += 1


def run_window(runtime: Runtime, window_ns: int, most: int, digests: Digests, beat: Beat) -> Lane:
    """Time inferences until `window_ns` are over or `most` are done; the garbage collector rests meanwhile.

    Raises RuntimeFailureError where the runtime returns nothing.
    """
    lane = Lane(runtime)
    enabled = gc.isenabled()
    gc.disable()
    try:
        _fill(lane, window_ns, most, digests, beat)
    finally:
        if enabled:
            gc.enable()
    return lane


def _fill(lane: Lane, window_ns: int, most: int, digests: Digests, beat: Beat) -> None:
    runtime = lane.runtime
    clock_ns, infer = runtime.clock_ns, runtime.infer
    stage_times, outputs = runtime.stage_times, runtime.outputs
    until_ns = clock_ns() + window_ns
    for _ in range(most):
        start_ns = clock_ns()
        result = infer()
        end_ns = clock_ns()
        if result is None:
            raise RuntimeFailureError("the runtime returned no outputs")
        lane.add(start_ns, end_ns, stage_times())
        digests.look(outputs(result))
        result = None  # outputs are freed here, not inside the next timed region
        beat()
        if end_ns >= until_ns:
            return
