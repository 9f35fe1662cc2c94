"""What is done beside the clean run, in workers of their own: load cycles, and the time of each layer.

It never costs the run its result: what fails here is a caveat.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator

from rkbench_agent.errors import RunFailedError
from rkbench_agent.run.child import Child
from rkbench_agent.run.state import RunState
from rkbench_agent.runtimes.registry import profiler_of
from rkbench_agent.wire.caveats import Caveat, caveat
from rkbench_agent.wire.messages import Progress
from rkbench_agent.wire.plan import RunSettings

Start = Callable[[RunState, str, Dict[str, Any]], Child]


class Extras:
    """Carries out the extra parts of a run. `start` makes a worker and gives it its first command."""

    def __init__(
        self,
        runtime: str,
        settings: RunSettings,
        start: Start,
        stop: Callable[[RunState], None],
        send: Callable[[Progress], None],
    ) -> None:
        self._runtime = runtime
        self._settings = settings
        self._start = start
        self._stop = stop
        self._send = send

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
        if self._settings.load_cycles > 0:
            yield self._load_cycles
        if self._settings.profile:
            yield self._profile

    def _load_cycles(self, state: RunState) -> None:
        count = self._settings.load_cycles
        self._send(Progress(state.spec.run, "load_cycles", 0, count, "cycles"))
        self._start(state, self._runtime, {"do": "cycles", "count": count})

    def _profile(self, state: RunState) -> None:
        runtime = profiler_of(self._runtime)
        self._send(Progress(state.spec.run, "profile", 0, 1, "run"))
        child = self._start(state, runtime, {"do": "open"})
        child.request(do="profile")
        child.request(do="release")


def _caveat(action: str, error: RunFailedError) -> Caveat:
    failed = error.failed
    if action == "profile":
        advice = failed.advice or "the time of each layer needs the C API: librknnrt.so (--runtime capi)"
        return caveat("profile_failed", f"no profile: {failed.message}", advice)
    message = f"the load cycles ended early: {failed.message}"
    return caveat("load_cycles_failed", message, failed.advice or "see the log")
