"""The cores of the virtual NPU and the contexts that share them: events on a virtual clock, no randomness.

A call is set_inputs on the CPU, its run on the NPU, get_outputs on the CPU. Runs are served in the order in
which they were asked for, none is interrupted. `auto` takes the core that is free first; a single core waits
for that one; several cores work on one run together, when all of them are free.

k cores together take  s + (1 - s) / k  of the time of one (Amdahl), with s = 0.346: what is published of a
mobilenet_v1 on the RK3588, 2.11 ms on one core and 1.19 ms on three (driver 0.9.8, librknnrt 2.3.2). Each
other core that is busy when a run begins lengthens it by the behaviour file's `contention` (0: not at all).
CPUs are never short. Nobody measured any of it: what comes of it is marked `modelled`.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Callable, List, NamedTuple, Optional, Protocol, Sequence, Tuple, cast

from rkbench_agent.runtimes.base import StageTimes
from rkbench_agent.runtimes.lanes import Lane, Source, blamed

SERIAL_SHARE = 0.346


class Call(NamedTuple):
    """What the parts of one call take where nothing is in its way, the run on all of its cores."""

    set_inputs_ns: int
    run_ns: int
    get_outputs_ns: int
    host_ns: int = 0


class ModelledContext(Protocol):
    """What the model asks of a context; `cores` is empty where any one will do.

    `beside` is told it: how many others are busy at the same time.
    """

    cores: Sequence[int]
    beside: int

    def draw_call(self) -> Call:
        """Return the next call; raises RuntimeFailureError where it is to fail."""
        ...

    def end_call(self, stages: StageTimes, end_ns: int) -> None:
        """Learn what the call took in the end, and when that was."""
        ...

    def skip_to(self, clock_ns: int) -> None:
        """Let its clock stand at `clock_ns` or later."""
        ...


class _Event(NamedTuple):
    """A context asks for its run."""

    asked_ns: int
    lane: int
    due_ns: int
    call: Call


def speedup_of(cores: int) -> float:
    """Return by what so many cores together are faster than one; 1 for one or none."""
    return 1.0 / (SERIAL_SHARE + (1.0 - SERIAL_SHARE) / max(1, cores))


class VirtualNpu:
    """Implements `lanes.Engine`: `contexts` are the runtimes of the lanes, all of this NPU."""

    def __init__(self, cores: int, contention: float = 0.0) -> None:
        self.core_count = self._cores = cores
        self._contention = contention
        self._free_ns = [0] * cores
        self._busy_ns = [0] * cores

    def core_busy_ns(self) -> Optional[List[int]]:
        """Return how long each core worked during the last `run`."""
        return list(self._busy_ns)

    def run(self, lanes: Sequence[Lane], source: Source, beat: Callable[[], None]) -> None:
        """Let every lane call, event by event in the order of time."""
        contexts = [cast(ModelledContext, lane.runtime) for lane in lanes]
        start_ns = max(lane.runtime.clock_ns() for lane in lanes)
        self._free_ns, self._busy_ns = [start_ns] * self._cores, [0] * self._cores
        events: List[_Event] = []

        def call_again(index: int, now_ns: int) -> None:
            due_ns = source.take(now_ns)
            if due_ns is not None:
                with blamed(lanes[index].name):
                    call = contexts[index].draw_call()
                heappush(events, _Event(max(now_ns, due_ns) + call.set_inputs_ns, index, due_ns, call))

        for index, context in enumerate(contexts):
            context.beside = len(lanes) - 1
            call_again(index, start_ns)
        while events:
            asked_ns, index, due_ns, call = heappop(events)
            begun_ns, done_ns = self._serve(contexts[index].cores, asked_ns, call.run_ns)
            end_ns = done_ns + call.get_outputs_ns + call.host_ns
            stages = StageTimes(
                call.set_inputs_ns, done_ns - asked_ns, call.get_outputs_ns, done_ns - begun_ns
            )
            contexts[index].end_call(stages, end_ns)
            lanes[index].add(due_ns, end_ns, stages)
            look = lanes[index].look
            if look is not None:
                look(contexts[index])
            beat()
            call_again(index, end_ns)
        end_ns = max(lane.runtime.clock_ns() for lane in lanes)
        for context in contexts:
            context.beside = 0
            context.skip_to(end_ns)

    def _serve(self, cores: Sequence[int], asked_ns: int, run_ns: int) -> Tuple[int, int]:
        """Return when a run that is asked for begins and ends on these cores; none given: on any one."""
        ready_ns = [max(asked_ns, free_ns) for free_ns in self._free_ns]
        chosen = list(cores) or [ready_ns.index(min(ready_ns))]
        begun_ns = max(ready_ns[core] for core in chosen)
        others = sum(free > begun_ns for core, free in enumerate(self._free_ns) if core not in chosen)
        taken_ns = int(run_ns * (1.0 + self._contention * others))
        for core in chosen:
            self._free_ns[core] = begun_ns + taken_ns
            self._busy_ns[core] += taken_ns
        return begun_ns, begun_ns + taken_ns
