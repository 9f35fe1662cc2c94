"""The steps of a scenario: asked of workers one after the other, with progress told beside them."""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, Optional

from rkbench_agent.run.state import Host, PlanClock, RunState
from rkbench_agent.run.timing import PROGRESS_INTERVAL_S
from rkbench_agent.run.workers import Workers
from rkbench_agent.wire.messages import Progress
from rkbench_agent.wire.plan import RunSettings, RunSpec
from rkbench_agent.wire.words import INFERENCE

#: A step that goes on is never told to be done.
ALMOST = 0.99


class Steps:
    """What a scenario needs of the conductor.

    `sample` reads the sensors, `release` ends a run's worker, `wait` hears for a moment what the host says.
    """

    def __init__(
        self,
        settings: RunSettings,
        workers: Workers,
        host: Host,
        clock: PlanClock,
        sample: Callable[[], None],
        release: Callable[[RunState], None],
        wait: Callable[[], object],
    ) -> None:
        self.settings = settings
        self.workers = workers
        self._host = host
        self._clock = clock
        self._sample = sample
        self._release = release
        self._wait = wait
        self._told_ns = 0

    def load(self, state: RunState, core_mask: str) -> None:
        """Have the run's model in a worker on these cores; one that has them is kept."""
        if self.workers.is_loaded(state) and state.core_mask != core_mask:
            self.unload(state)
        if not self.workers.is_loaded(state):
            self.workers.open(state, report=False, core_mask=core_mask)

    def unload(self, state: RunState) -> None:
        """End the worker of a run, with all its contexts, where it has one."""
        if self.workers.is_loaded(state):
            self._release(state)

    def load_other(self, state: RunState, other: RunSpec, core_mask: str) -> None:
        """Have a second model in the worker of a run, on these cores."""
        command = self.workers.command_of(state, other, core_mask)
        warmups = self.settings.warmup_iterations
        answer = self.workers.child(state).request(do="other", other=command, warmups=warmups)
        self._clock.reach(answer["clock_ns"])

    def ask(
        self, state: RunState, number: float, total: float, *, unit: str = "steps", **command: Any
    ) -> Dict[str, Any]:
        """Have the worker carry out step `number` of `total`; samples of the sensors stand at both ends.

        With the unit `seconds`, `number` are those that are over.
        """
        child = self.workers.child(state)
        begun_ns = self._told_ns = time.monotonic_ns()

        def move(count: int) -> None:
            elapsed_ns = time.monotonic_ns() - begun_ns
            share = min(ALMOST, self._share(count, elapsed_ns)) if unit == "steps" else elapsed_ns / 1e9
            self._tell(state, number + share, total, unit)

        child.on_move = move
        self._sample()
        answer = child.request(**command, clock_ns=self._clock.now_ns, worked_ns=self._clock.worked_ns)
        self._clock.reach(answer["clock_ns"])
        self._clock.worked_ns += answer["total_ns"]
        self._sample()
        done = number + (1 if unit == "steps" else answer["total_ns"] / 1e9)
        self._host.send(Progress(state.spec.run, INFERENCE, min(done, total), total, unit))
        return answer

    def next_rate(self, state: RunState) -> Optional[float]:
        """Return the rate that the host asks for next, once it does; None where it knows enough."""
        while state.next_rate_per_s is None and not state.enough:
            self._wait()
        rate_per_s, state.next_rate_per_s = state.next_rate_per_s, None
        return None if state.enough else rate_per_s

    def _share(self, count: int, elapsed_ns: int) -> float:
        by_count = count / max(1, self.settings.min_iterations)
        return min(by_count, elapsed_ns / max(1.0, self.settings.min_duration_s * 1e9))

    def _tell(self, state: RunState, done: float, total: float, unit: str) -> None:
        now_ns = time.monotonic_ns()
        if now_ns - self._told_ns >= PROGRESS_INTERVAL_S * 1e9:
            self._told_ns = now_ns
            self._host.send(Progress(state.spec.run, INFERENCE, min(done, total), total, unit))
