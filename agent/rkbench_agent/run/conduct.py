"""Carries out one plan: every variant alone, then, if several, all of them in turns.

The first load of each has the board to itself: what it needs says whether all fit together. Timed
iterations of several variants take turns in rounds (A B C C B A) with all workers resident where memory
allows. All are released after some rounds and loaded afresh, as often as the plan says: where a model's
buffers come to lie sets its level for as long as it is loaded. Where memory does not allow it, each block
has a fresh worker that loads and warms up again, and a round counts as a load.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import Callable, List

from rkbench_agent.board.inspection import has_iommu
from rkbench_agent.board.kernel_log import KernelLog
from rkbench_agent.board.memory import meminfo, memory_available_bytes
from rkbench_agent.board.readiness import Readiness
from rkbench_agent.board.sensors import Sensors
from rkbench_agent.errors import CancelledError, RunFailedError
from rkbench_agent.loop import Loop
from rkbench_agent.run.child import TICK_S
from rkbench_agent.run.extras import Extras
from rkbench_agent.run.fit import Room, judge_fit
from rkbench_agent.run.log_scan import find_caveats
from rkbench_agent.run.schedule import (
    Standing,
    is_load_over,
    is_over_alone,
    is_plan_over,
    is_time_up,
    round_of,
)
from rkbench_agent.run.state import Host, PlanBoard, PlanClock, RunState
from rkbench_agent.run.stepped import run_steps
from rkbench_agent.run.steps import Steps
from rkbench_agent.run.timing import Timing
from rkbench_agent.run.workers import Workers
from rkbench_agent.wire.caveats import Caveat, caveat
from rkbench_agent.wire.codec import build
from rkbench_agent.wire.messages import Failed, Finished, Log
from rkbench_agent.wire.plan import Plan, RunSettings
from rkbench_agent.wire.provenance import Provenance
from rkbench_agent.wire.words import (
    CANCELLED,
    LOAD,
    OUT_OF_MEMORY,
    SINGLE_STREAM,
    SOAK,
)

#: What a push had too little of is advised so many times over.
_MORE_TIME = 4
#: Resident workers may take this part of what is available; the rest is the system's.
RESIDENT_MEMORY_RATIO = 0.8
_FIT_ADVICE = "free memory, make the model smaller, or try it all the same: --force"


class Conductor:
    """Runs the variants of one plan; everything that they yield goes to the host's line."""

    def __init__(self, plan: Plan, board: PlanBoard, host: Host, loop: Loop, sensors: Sensors) -> None:
        settings, clock = plan.settings, PlanClock()
        runtime = settings.runtime
        assert runtime is not None  # see `find_problem`
        self._plan = plan
        self._board = board
        self._host = host
        self._settings = settings
        self._states = [RunState(spec) for spec in plan.runs]
        self._workers = Workers(runtime, settings, board, host, loop, clock)
        one_call = settings.scenario == SINGLE_STREAM
        self._in_turns = settings.interleave and len(self._states) > 1 and one_call
        self._timing = Timing(settings, self._workers, host, sensors, clock, in_turns=self._in_turns)
        self._readiness = Readiness(settings, board.root, loop.turn, host.send)
        start, stop = self._workers.start_extra, self._workers.stop
        self._extras = Extras(runtime, settings, start, stop, host.send)
        self._steps = Steps(
            settings,
            self._workers,
            host,
            clock,
            self._timing.sample,
            self._release,
            partial(loop.turn, TICK_S),
        )

    def run(self) -> None:
        """Carry the plan out. Raises CancelledError and HostGoneError; no worker is left then."""
        try:
            for state in self._states:
                self._guarded(state, partial(self._alone, state, not self._in_turns))
            if self._in_turns:
                self._take_turns()
        except CancelledError:
            for state in self._unfinished():
                stage = self._workers.stage(state)
                self._host.send(Failed(state.spec.run, stage, CANCELLED, "cancelled by the host"))
            raise
        finally:
            self._workers.stop_all()

    def end_timing(self, run: str) -> None:
        """End the timed part of a run with its present block: the host knows enough."""
        for state in self._states:
            state.enough = state.enough or state.spec.run == run

    def try_rate(self, run: str, rate_per_s: float) -> None:
        """Serve this rate next, in a run of the scenario `server`."""
        for state in self._states:
            if state.spec.run == run:
                state.next_rate_per_s = rate_per_s

    def sample(self) -> None:
        """Read the sensors once, and tell the host."""
        self._timing.sample()

    def _guarded(self, state: RunState, action: Callable[[], None]) -> None:
        """Do `action`; where the run fails, say so and what the kernel said, and go on with the others."""
        kernel = KernelLog(self._board.root)
        try:
            action()
        except RunFailedError as error:
            state.over = True
            for text in kernel.lines():
                self._host.send(Log(state.spec.run, "kernel", text, time.monotonic_ns()))
            self._host.send(error.failed)
        finally:
            kernel.close()
            if state.over:
                self._workers.stop(state)

    # -- one run alone

    def _alone(self, state: RunState, timed: bool) -> None:
        state.add_caveats(self._readiness.calm(state.spec.run) + self._readiness.cool(state.spec.run))
        self._check_fit(state)
        self._timing.sample()
        self._workers.open(state, report=True)
        self._workers.child(state).request(do="golden")
        if timed:
            self._time_alone(state)
        if self._workers.is_loaded(state):
            self._release(state)
        self._timing.sample()
        self._extras.run(state)
        if timed:
            self._finish(state)

    def _check_fit(self, state: RunState) -> None:
        memory = meminfo(self._board.root)
        room = Room(memory.get("MemAvailable"), memory.get("CmaFree"), has_iommu(self._board.root))
        doubt = judge_fit(state.spec, room, self._plan.other)
        if doubt is None:
            return
        if doubt.hopeless and not self._plan.force:
            raise RunFailedError(Failed(state.spec.run, LOAD, OUT_OF_MEMORY, doubt.message, _FIT_ADVICE))
        state.add_caveats([caveat("memory_tight", doubt.message, "free memory before measuring")])

    def _time_alone(self, state: RunState) -> None:
        if self._settings.scenario in (SINGLE_STREAM, SOAK):  # the contexts of others warm up one by one
            self._timing.warm_up(state)
        if self._settings.scenario != SINGLE_STREAM:
            run_steps(self._steps, state, self._board.environment.npu_cores or 1, self._plan.other)
            return
        while not state.enough and not is_over_alone(self._settings, state.standing):
            self._timing.time_block(state)

    # -- several runs in turns

    def _take_turns(self) -> None:
        """Load the runs afresh for each load, and let them take turns; they end together."""
        for state in self._unfinished()[:1]:
            caveats = self._readiness.cool(state.spec.run)
            for other in self._unfinished():
                other.add_caveats(caveats)
        resident = self._fit_together()
        if not resident:
            self._tell_loads_anew("the board's memory does not hold all variants together")
        load = 0
        while self._goes_on() and not self._is_plan_over(load, resident):
            for state in self._unfinished():
                state.load = load
            resident = resident and self._load_together()
            self._take_rounds(load, resident)
            load += 1
        for state in self._unfinished():
            self._finish(state)

    def _is_plan_over(self, load: int, resident: bool) -> bool:
        return is_plan_over(self._settings, load, self._standings(), resident=resident)

    def _goes_on(self) -> bool:
        """Tell whether a run is left of which the host does not know enough, and no run's time is up."""
        up = any(is_time_up(self._settings, standing) for standing in self._standings())
        return not up and any(not state.enough for state in self._unfinished())

    def _take_rounds(self, load: int, resident: bool) -> None:
        """Let the runs take turns for one load: round by round, or for one where every block loads anew."""
        rounds = 0
        while self._goes_on():
            by_name = {state.spec.run: state for state in self._unfinished()}
            for run in round_of(list(by_name)):
                state = by_name[run]
                if not state.over:
                    self._guarded(state, partial(self._take_turn, state, resident))
            rounds += 1
            if not resident or is_load_over(self._settings, load, rounds, self._standings()):
                break
        for state in self._unfinished():
            if self._workers.is_loaded(state):
                self._guarded(state, partial(self._release, state))

    def _take_turn(self, state: RunState, resident: bool) -> None:
        if is_time_up(self._settings, state.standing):
            return
        if not resident:
            self._make_ready(state)
        self._timing.time_block(state)
        if not resident:
            self._release(state)

    def _make_ready(self, state: RunState) -> None:
        self._workers.open(state, report=True)
        self._timing.warm_up(state)

    def _load_together(self) -> bool:
        """Load all runs beside each other; False, with none loaded, where one of them does not go so.

        Each of them ran alone before: what fails now fails for the company, so the run is not over.
        """
        try:
            for state in self._unfinished():
                self._make_ready(state)
        except RunFailedError as error:
            self._tell_loads_anew(f"not all variants load together: {error}")
            for state in self._unfinished():
                self._workers.stop(state)
            return False
        return True

    def _tell_loads_anew(self, why: str) -> None:
        text = f"every block loads its variant anew, and a round counts as a load: {why}"
        self._host.doubt("blocks_load_anew", text)

    def _fit_together(self) -> bool:
        available = memory_available_bytes(self._board.root)
        needs = [state.need_bytes for state in self._unfinished()]
        if available is None or any(need is None for need in needs):
            return False
        return sum(need or 0 for need in needs) <= RESIDENT_MEMORY_RATIO * available

    def _unfinished(self) -> List[RunState]:
        return [state for state in self._states if not state.over]

    def _standings(self) -> List[Standing]:
        return [state.standing for state in self._unfinished()]

    # -- steps

    def _release(self, state: RunState) -> None:
        child = self._workers.child(state)
        answer = child.request(do="release")
        state.provenance = build(Provenance, answer["provenance"])
        state.add_caveats(
            [build(Caveat, item) for item in answer["caveats"]] + find_caveats(child.printed.doubtful())
        )
        self._workers.stop(state)

    def _finish(self, state: RunState) -> None:
        state.over = True
        if self._board.pin is not None:
            state.add_caveats(self._board.pin.caveats())
        if is_time_up(self._settings, state.standing):
            state.add_caveats([_time_up(self._settings)])
        provenance = state.provenance
        if not state.spec.golden:
            provenance = replace(provenance, outputs=None)
        self._host.send(
            Finished(
                state.spec.run,
                state.iterations,
                provenance,
                list(state.caveats.values()),
                state.growth_bytes,
                state.growth_iterations,
            )
        )


def _time_up(settings: RunSettings) -> Caveat:
    limit_s = settings.max_duration_s
    more_s = max(_MORE_TIME * limit_s, 2 * settings.min_duration_s)  # what a plan asks for is its least
    text = f"measuring ended after {limit_s:g} s of timed iterations, before the end of the plan"
    return caveat(
        "max_duration_reached", text, f"give it more time: --max-duration {more_s:g}, or leave it away"
    )
