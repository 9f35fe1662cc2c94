"""Lanes as threads of this process: ctypes and RKNNLite let go of Python's lock while the NPU works."""

from __future__ import annotations

import gc
import threading
import time
from typing import Callable, List, Optional, Sequence

from rkbench_agent.errors import RuntimeFailureError
from rkbench_agent.runtimes.base import StageTimes
from rkbench_agent.runtimes.lanes import Lane, Source, blamed

#: A sleep ends so much late on a common kernel; the rest of the way to a call that is due is waited awake.
SLEEP_LATE_NS = 200_000
#: A wait is told of this often: silence is a fault.
LONGEST_SLEEP_NS = 1_000_000_000


class Threads:
    """Implements `lanes.Engine` with one thread a lane, all on one real clock."""

    def run(self, lanes: Sequence[Lane], source: Source, beat: Callable[[], None]) -> None:
        """Let every lane call; the garbage collector rests meanwhile."""
        crew = _Crew(lanes, source, beat)
        enabled = gc.isenabled()
        gc.disable()
        try:
            crew.run()
        finally:
            if enabled:
                gc.enable()

    def core_busy_ns(self) -> Optional[List[int]]:
        """Nobody here sees the cores: the board's own sensors tell their load."""
        return None


class _Crew:
    def __init__(self, lanes: Sequence[Lane], source: Source, beat: Callable[[], None]) -> None:
        self._lanes, self._source, self._beat = lanes, source, beat
        self._barrier = threading.Barrier(len(lanes))
        self._errors: List[BaseException] = []

    def run(self) -> None:
        threads = [threading.Thread(target=self._work, args=(lane,), daemon=True) for lane in self._lanes[1:]]
        for thread in threads:
            thread.start()
        self._work(self._lanes[0])
        for thread in threads:
            thread.join()
        if self._errors:
            raise self._errors[0]

    def _work(self, lane: Lane) -> None:
        self._barrier.wait()
        try:
            with blamed(lane.name):
                self._call(lane)
        except BaseException as error:  # noqa: BLE001 - a thread's failure is the run's: `run` raises it
            self._errors.append(error)

    def _call(self, lane: Lane) -> None:
        clock_ns, infer = lane.runtime.clock_ns, lane.runtime.infer
        # Asking for the stages is a call of the runtime: with several lanes each would wait for all others.
        stage_times = lane.runtime.stage_times if len(self._lanes) == 1 else _no_stages
        take, add, beat, errors = self._source.take, lane.add, self._beat, self._errors
        scheduled, look = self._source.scheduled, lane.look
        while not errors:
            now_ns = clock_ns()
            due_ns = take(now_ns)
            if due_ns is None:
                return
            if due_ns > now_ns:
                _wait_until(due_ns, clock_ns, beat, errors)
                lane.waits += 1
                lane.late_ns += clock_ns() - due_ns
            start_ns = clock_ns()
            result = infer()
            end_ns = clock_ns()
            if result is None:
                raise RuntimeFailureError("the runtime returned no outputs")
            if look is not None:
                look(result)
            result = None  # outputs are freed here, not inside the next timed region
            add(due_ns if scheduled else start_ns, end_ns, stage_times())
            beat()


def _no_stages() -> Optional[StageTimes]:
    return None


def _wait_until(
    due_ns: int, clock_ns: Callable[[], int], beat: Callable[[], None], errors: Sequence[BaseException]
) -> None:
    """Wait for a call that is due, asleep until shortly before; long waits beat. Ends where a lane failed."""
    left_ns = due_ns - clock_ns()
    while left_ns > SLEEP_LATE_NS and not errors:
        time.sleep(min(left_ns - SLEEP_LATE_NS, LONGEST_SLEEP_NS) / 1e9)
        if left_ns > LONGEST_SLEEP_NS:
            beat()
        left_ns = due_ns - clock_ns()
    while clock_ns() < due_ns and not errors:
        pass
