"""Carries out one plan: every variant alone, then, if several, all of them in turns.

Load memory is measured with one worker alone on the board. Timed iterations of several variants take
turns block by block (A B B A) with all workers resident where memory allows; where it does not, each
block has a fresh worker that loads and warms up again.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import Callable, Iterator, List, Optional

from rkbench_agent.board.inspection import has_iommu
from rkbench_agent.board.kernel_log import KernelLog
from rkbench_agent.board.memory import meminfo, memory_available_bytes
from rkbench_agent.board.readiness import Readiness
from rkbench_agent.board.sensors import Sensors
from rkbench_agent.errors import CancelledError, RunFailedError
from rkbench_agent.loop import Loop
from rkbench_agent.run.extras import Extras
from rkbench_agent.run.fit import Room, judge_fit
from rkbench_agent.run.log_scan import find_caveats
from rkbench_agent.run.schedule import BlockSize, next_block, turns
from rkbench_agent.run.state import Host, PlanBoard, PlanClock, RunState
from rkbench_agent.run.timing import Timing
from rkbench_agent.run.workers import Workers
from rkbench_agent.wire.caveats import Caveat, caveat
from rkbench_agent.wire.codec import build
from rkbench_agent.wire.messages import Failed, Finished, Log
from rkbench_agent.wire.plan import Plan
from rkbench_agent.wire.provenance import Provenance
from rkbench_agent.wire.words import (
    CANCELLED,
    LOAD,
    OUT_OF_MEMORY,
)

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
        self._timing = Timing(settings, self._workers, host, sensors, clock)
        self._readiness = Readiness(settings, board.root, loop, host.send)
        start, stop = self._workers.start_extra, self._workers.stop
        self._extras = Extras(runtime, settings, start, stop, host.send)

    def run(self) -> None:
        """Carry the plan out. Raises CancelledError and HostGoneError; no worker is left then."""
        in_turns = self._settings.interleave and len(self._states) > 1
        try:
            for state in self._states:
                self._guarded(state, partial(self._alone, state, not in_turns))
            if in_turns:
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
        state.add_caveats(self._readiness.calm() + self._readiness.cool(state.spec.run))
        self._check_fit(state)
        self._timing.sample()
        self._workers.open(state, report=True)
        self._workers.child(state).request(do="golden")
        if timed:
            self._timing.warm_up(state)
            for size in self._blocks(state):
                self._timing.time_block(state, size)
        self._release(state)
        self._timing.sample()
        self._extras.run(state)
        if timed:
            self._finish(state)

    def _check_fit(self, state: RunState) -> None:
        memory = meminfo(self._board.root)
        room = Room(memory.get("MemAvailable"), memory.get("CmaFree"), has_iommu(self._board.root))
        doubt = judge_fit(state.spec, room)
        if doubt is None:
            return
        if doubt.hopeless and not self._plan.force:
            raise RunFailedError(Failed(state.spec.run, LOAD, OUT_OF_MEMORY, doubt.message, _FIT_ADVICE))
        state.add_caveats([caveat("memory_tight", doubt.message, "free memory before measuring")])

    def _blocks(self, state: RunState) -> Iterator[BlockSize]:
        size = self._next_block(state)
        while size is not None:
            yield size
            size = self._next_block(state)

    def _next_block(self, state: RunState) -> Optional[BlockSize]:
        """Return the size of the next block; None at the end of the plan, or once the host has said so."""
        if state.enough:
            return None
        return next_block(self._settings, state.iterations, state.duration_ns)

    # -- several runs in turns

    def _take_turns(self) -> None:
        for state in self._unfinished()[:1]:
            caveats = self._readiness.cool(state.spec.run)
            for other in self._unfinished():
                other.add_caveats(caveats)
        resident = self._fit_together() and self._load_together()
        round_number = 0
        while self._unfinished():
            by_name = {state.spec.run: state for state in self._unfinished()}
            for run in turns(list(by_name), round_number):
                state = by_name[run]
                self._guarded(state, partial(self._take_turn, state, resident))
            round_number += 1

    def _take_turn(self, state: RunState, resident: bool) -> None:
        size = self._next_block(state)
        if size is not None:
            if not resident:
                self._make_ready(state)
            self._timing.time_block(state, size)
            if not resident:
                self._release(state)
        if self._next_block(state) is None:
            if self._workers.is_loaded(state):
                self._release(state)
            self._finish(state)

    def _make_ready(self, state: RunState) -> None:
        self._workers.open(state, report=False)
        self._timing.warm_up(state)

    def _load_together(self) -> bool:
        """Load all runs beside each other; False, with none loaded, where one of them does not go so.

        Each of them ran alone before: what fails now fails for the company, so the run is not over.
        """
        try:
            for state in self._unfinished():
                self._make_ready(state)
        except RunFailedError as error:
            text = f"not all variants load together, so every block loads anew: {error}"
            self._host.doubt("blocks_load_anew", text)
            for state in self._unfinished():
                self._workers.stop(state)
            return False
        return True

    def _fit_together(self) -> bool:
        available = memory_available_bytes(self._board.root)
        needs = [state.need_bytes for state in self._unfinished()]
        if available is None or any(need is None for need in needs):
            return False
        return sum(need or 0 for need in needs) <= RESIDENT_MEMORY_RATIO * available

    def _unfinished(self) -> List[RunState]:
        return [state for state in self._states if not state.over]

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
        provenance = state.provenance
        if not state.spec.golden:
            provenance = replace(provenance, outputs=None)
        self._host.send(Finished(state.spec.run, state.iterations, provenance, list(state.caveats.values())))
