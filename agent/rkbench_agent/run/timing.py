"""Blocks of iterations: asked of a worker, with samples of the sensors and progress beside them."""

from __future__ import annotations

import time
from functools import partial
from typing import Any, Callable, Dict

from rkbench_agent.board.sensors import Sensors
from rkbench_agent.run.schedule import BlockSize, Standing, block_size, mean_call_ns, total_blocks
from rkbench_agent.run.state import Host, PlanClock, RunState
from rkbench_agent.run.workers import Workers
from rkbench_agent.wire.messages import Progress
from rkbench_agent.wire.plan import RunSettings
from rkbench_agent.wire.words import AT_MOST, INFERENCE, MODELLED, PREDICTED, WARMUP

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
        *,
        in_turns: bool = False,
    ) -> None:
        self._settings = settings
        self._workers = workers
        self._host = host
        self._sensors = sensors
        self._clock = clock
        self._now_ns = now_ns
        self._in_turns = in_turns
        self._told_ns = self._sampled_ns = 0

    def sample(self) -> None:
        """Read the sensors once, and tell the host."""
        self._sample_at(max(time.monotonic_ns(), self._clock.now_ns))

    def warm_up(self, state: RunState) -> None:
        """Run the iterations that do not count; they say how long a call takes about."""
        total = self._settings.warmup_iterations
        if total > 0:
            self._host.send(Progress(state.spec.run, WARMUP, 0, total, "iterations"))
            answer = self._request_block(state, BlockSize(total), warmup=True)
            if answer["iterations"]:
                state.warm_call_ns = answer["total_ns"] / answer["iterations"]
            self._host.send(self._progress(state, state.standing))  # what comes next may take minutes

    def time_block(self, state: RunState) -> None:
        """Time the next block of a run, and count it."""
        call_ns = mean_call_ns(state.standing, state.warm_call_ns)
        size = block_size(self._settings, call_ns, state.duration_ns, in_turns=self._in_turns)
        # On a virtual clock a block takes no time: samples at its edges count as inside.
        virtual = state.provenance.latency in (MODELLED, PREDICTED)
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
        state.grow(answer["growth_bytes"], answer["iterations"] + size.unread)
        self._host.send(self._progress(state, state.standing))

    def _request_block(self, state: RunState, size: BlockSize, warmup: bool) -> Dict[str, Any]:
        child = self._workers.child(state)
        self._told_ns = self._now_ns()
        child.on_move = partial(self._move, state, size, warmup, self._told_ns)
        answer = child.request(
            do="block",
            scenario=self._settings.scenario,
            block=state.block,
            load=state.load,
            iterations=size.iterations,
            unread=size.unread,
            limit_ns=size.limit_ns,
            warmup=warmup,
            clock_ns=self._clock.now_ns,
            worked_ns=self._clock.worked_ns,
        )
        self._clock.reach(answer["clock_ns"])
        self._clock.worked_ns += answer["worked_ns"]
        return answer

    def _move(self, state: RunState, size: BlockSize, warmup: bool, start_ns: int, count: int) -> None:
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
        standing = Standing(state.iterations + count, duration_ns, state.block + count / size.iterations)
        self._host.send(self._progress(state, standing))

    def _sample_inside(self, state: RunState) -> None:
        """Sample while a block runs, until enough samples lie inside: the timer misses a short one."""
        if state.readings_inside < MINIMUM_READINGS:
            state.readings_inside += 1
            self.sample()

    def _sample_at(self, time_ns: int) -> None:
        self._host.send(self._sensors.sample(time_ns))
        self._clock.reach(time_ns)
        self._sampled_ns = time_ns

    def _progress(self, state: RunState, standing: Standing) -> Progress:
        """Return where a run stands: by iterations, seconds or blocks, whichever is farthest from its end."""
        settings = self._settings
        parts = (
            (standing.iterations, settings.min_iterations, "iterations"),
            (standing.duration_ns / 1e9, settings.min_duration_s, "seconds"),
            (standing.blocks, total_blocks(settings, in_turns=self._in_turns), "blocks"),
        )
        done, total, unit = min((part for part in parts if part[1] > 0), key=lambda part: part[0] / part[1])
        if settings.precision_percent is not None:  # whose end nobody knows
            unit = f"{unit} {AT_MOST}"
        return Progress(state.spec.run, INFERENCE, done, total, unit)
