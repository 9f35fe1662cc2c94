"""What is done beside the clean run, in workers of their own: load cycles, and the time of each layer.

It never costs the run its result: what fails here is a caveat.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator

from rkbench_agent.child import Child
from rkbench_agent.death import RunFailedError
from rkbench_agent.protocol import Plan, Progress
from rkbench_agent.run_state import RunState

#: RKNNLite cannot profile; the C API can, and reads the same file.
PROFILERS = {"lite": "capi", "capi-zero-copy": "capi"}
Start = Callable[[RunState, str, Dict[str, Any]], Child]


class Beside:
    """Carries out the extra parts of a plan. `start` makes a worker and gives it its first command."""

    def __init__(self, plan: Plan, start: Start, stop: Callable[[RunState], None], send: Any) -> None:
        self._plan = plan
        self._start = start
        self._stop = stop
        self._send: Callable[[Progress], None] = send

    def run(self, state: RunState) -> None:
        """Do for one run what the plan asks for."""
        for action in self._actions():
            try:
                action(state)
            except RunFailedError as error:
                state.add_caveats([_caveat(action.__name__.strip("_"), error)])
            finally:
                self._stop(state)

    def _actions(self) -> Iterator[Callable[[RunState], None]]:
        if self._plan.load_cycles > 0:
            yield self._load_cycles
        if self._plan.profile:
            yield self._profile

    def _load_cycles(self, state: RunState) -> None:
        count = self._plan.load_cycles
        self._send(Progress(state.spec.run, "load_cycles", 0, count, "cycles"))
        self._start(state, self._plan.runtime, {"do": "cycles", "count": count})

    def _profile(self, state: RunState) -> None:
        runtime = PROFILERS.get(self._plan.runtime, self._plan.runtime)
        self._send(Progress(state.spec.run, "profile", 0, 1, "run"))
        child = self._start(state, runtime, {"do": "open"})
        child.request(do="profile")
        child.request(do="release")


def _caveat(action: str, error: RunFailedError) -> Dict[str, str]:
    failed = error.failed
    if action == "profile":
        advice = failed.advice or "the time of each layer needs the C API: librknnrt.so (--runtime capi)"
        return {"code": "profile_failed", "message": f"no profile: {failed.message}", "advice": advice}
    message = f"the load cycles ended early: {failed.message}"
    return {"code": "load_cycles_failed", "message": message, "advice": failed.advice or "see the log"}
