"""Blocks of iterations: asked of a worker, with samples of the sensors and progress beside them."""

from __future__ import annotations

import time
from functools import partial
from typing import Any, Callable, Dict

from rkbench_agent.board.sensors import Sensors
from rkbench_agent.run.schedule import BlockSize
from rkbench_agent.run.state import Host, PlanClock, RunState
from rkbench_agent.run.workers import Workers
from rkbench_agent.wire.messages import Progress
from rkbench_agent.wire.plan import RunSettings
from rkbench_agent.wire.words import INFERENCE, MODELLED, WARMUP

#: So many samples of the sensors lie inside the timed part of a run at least, if it lasts 0.1 s.
MINIMUM_READINGS = 2
#: On a virtual clock, between two samples: what the timer would be on a real one.
VIRTUAL_READING_NS = 500_000_000
#: A block that goes on says so this often: slow models take minutes for one, and silence is a fault.
PROGRESS_INTERVAL_S = 3.0


class Timing:
    """Times blocks of runs that are loaded."""

    def __init__(
        self,
        settings: RunSettings,
        workers: Workers,
        host: Host,
        sensors: Sensors,
        clock: PlanClock,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._settings = settings
        self._workers = workers
        self._host = host
        self._sensors = sensors
        self._clock = clock
        self._now_ns = now_ns
        self._told_ns = self._sampled_ns = 0

    def sample(self) -> None:
        """Read the sensors once, and tell the host."""
        self._sample_at(max(time.monotonic_ns(), self._clock.now_ns))

    def warm_up(self, state: RunState) -> None:
        """Run the iterations that are not timed."""
        if self._settings.warmup_iterations > 0:
            self._request_block(state, BlockSize(self._settings.warmup_iterations, 0), warmup=True)

    def time_block(self, state: RunState, size: BlockSize) -> None:
        """Time one block, and count it."""
        # On a virtual clock a block takes no time: samples at its edges count as inside.
        virtual = state.provenance.latency == MODELLED
        first = virtual and state.readings_inside < MINIMUM_READINGS
        if first:
            self.sample()
        answer = self._request_block(state, size, warmup=False)
        if first or (virtual and answer["clock_ns"] - self._sampled_ns >= VIRTUAL_READING_NS):
            self._sample_at(answer["clock_ns"])
            state.readings_inside += MINIMUM_READINGS
        state.block += 1
        state.iterations += answer["iterations"]
        state.duration_ns += answer["total_ns"]
        self._host.send(_progress(self._settings, state.spec.run, state.iterations, state.duration_ns))

    def _request_block(self, state: RunState, size: BlockSize, warmup: bool) -> Dict[str, Any]:
        child = self._workers.child(state)
        self._told_ns = self._now_ns()
        child.on_move = partial(self._move, state, warmup, self._told_ns)
        answer = child.request(
            do="block",
            scenario=self._settings.scenario,
            block=state.block,
            iterations=size.iterations,
            limit_ns=size.limit_ns,
            warmup=warmup,
            clock_ns=self._clock.now_ns,
            worked_ns=self._clock.worked_ns,
        )
        self._clock.reach(answer["clock_ns"])
        self._clock.worked_ns += answer["total_ns"]
        return answer

    def _move(self, state: RunState, warmup: bool, start_ns: int, count: int) -> None:
        """Take notice that a block has come to `count` inferences, and tell the host now and then."""
        if not warmup:
            self._sample_inside(state)
        now_ns = self._now_ns()
        if now_ns - self._told_ns < PROGRESS_INTERVAL_S * 1e9:
            return
        self._told_ns = now_ns
        run, total = state.spec.run, self._settings.warmup_iterations
        if warmup:
            self._host.send(Progress(run, WARMUP, count, total, "iterations"))
            return
        duration_ns = state.duration_ns + now_ns - start_ns
        self._host.send(_progress(self._settings, run, state.iterations + count, duration_ns))

    def _sample_inside(self, state: RunState) -> None:
        """Sample while a block runs, until enough samples lie inside: the timer misses a short one."""
        if state.readings_inside < MINIMUM_READINGS:
            state.readings_inside += 1
            self.sample()

    def _sample_at(self, time_ns: int) -> None:
        self._host.send(self._sensors.sample(time_ns))
        self._clock.reach(time_ns)
        self._sampled_ns = time_ns


def _progress(settings: RunSettings, run: str, iterations: int, duration_ns: int) -> Progress:
    """Return where a run stands: by iterations or by seconds, whichever is farther from its end."""
    by_count = iterations / max(1, settings.min_iterations)
    by_time = duration_ns / max(1.0, settings.min_duration_s * 1e9)
    if by_count <= by_time or settings.min_duration_s <= 0:
        return Progress(run, INFERENCE, iterations, settings.min_iterations, "iterations")
    return Progress(run, INFERENCE, duration_ns / 1e9, settings.min_duration_s, "seconds")
