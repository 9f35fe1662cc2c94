"""Carries out one plan: every variant alone, then, if several, all of them in turns.

Load memory is measured with one worker alone on the board. Timed iterations of several variants take
turns block by block (A B B A) with all workers resident where memory allows; where it does not, each
block has a fresh worker that loads and warms up again.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from functools import partial
from typing import Any, Callable, Dict, Iterator, List, Optional

from rkbench_agent.board.inspection import has_iommu
from rkbench_agent.board.kernel_log import KernelLog
from rkbench_agent.board.memory import meminfo, memory_available_bytes
from rkbench_agent.board.readiness import Readiness
from rkbench_agent.board.sensors import Sensors
from rkbench_agent.errors import CancelledError, RunFailedError, StorageError
from rkbench_agent.loop import Loop
from rkbench_agent.run.child import Child
from rkbench_agent.run.extras import Extras
from rkbench_agent.run.fit import Room, judge_fit
from rkbench_agent.run.log_scan import find_caveats
from rkbench_agent.run.schedule import BlockSize, next_block, turns
from rkbench_agent.run.state import Host, NeededMemory, PlanBoard, RunState
from rkbench_agent.wire.caveats import Caveat, caveat
from rkbench_agent.wire.codec import build
from rkbench_agent.wire.messages import Failed, Finished, Log, Progress, Provenance
from rkbench_agent.wire.plan import Plan, RunSpec
from rkbench_agent.wire.words import (
    BAD_INPUT,
    CANCELLED,
    INFERENCE,
    LITE,
    LOAD,
    MODELLED,
    OUT_OF_MEMORY,
    START,
)

#: Resident workers may take this part of what is available; the rest is the system's.
RESIDENT_MEMORY_RATIO = 0.8
#: So many samples of the sensors lie inside the timed part of a run at least, if it lasts 0.1 s.
MINIMUM_READINGS = 2
_FIT_ADVICE = "free memory, make the model smaller, or try it all the same: --force"
_LOAD_MEMORY = b'{"type":"LoadMemory"'


class Conductor:
    """Runs the variants of one plan; everything that they yield goes to the host's line."""

    def __init__(self, plan: Plan, board: PlanBoard, host: Host, loop: Loop, sensors: Sensors) -> None:
        self._plan = plan
        self._board = board
        self._host = host
        self._loop = loop
        self._sensors = sensors
        self._readiness = Readiness(plan.settings, board.root, loop, host.send)
        self._extras = Extras(
            plan.settings.runtime or LITE, plan.settings, self._start_extra, self._stop, host.send
        )
        self._settings = plan.settings
        self._states = [RunState(spec) for spec in plan.runs]
        self._children: Dict[str, Child] = {}
        self._clock_ns = 0

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
                child = self._children.get(state.spec.run)
                stage = child.stage if child else START
                self._host.send(Failed(state.spec.run, stage, CANCELLED, "cancelled by the host"))
            raise
        finally:
            for child in list(self._children.values()):
                child.stop()

    def end_timing(self, run: str) -> None:
        """End the timed part of a run with its present block: the host knows enough."""
        for state in self._states:
            state.enough = state.enough or state.spec.run == run

    def sample(self) -> None:
        """Read the sensors once, and tell the host."""
        self._sample_at(max(time.monotonic_ns(), self._clock_ns))

    def _sample_at(self, time_ns: int) -> None:
        self._host.send(self._sensors.sample(time_ns))
        self._clock_ns = max(self._clock_ns, time_ns)

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
                self._stop(state)

    # -- one run alone

    def _alone(self, state: RunState, timed: bool) -> None:
        state.add_caveats(self._readiness.calm() + self._readiness.cool(state.spec.run))
        self._check_fit(state)
        self.sample()
        self._open(state, report=True)
        child = self._children[state.spec.run]
        child.request(do="golden")
        if timed:
            self._warm_up(state)
            for size in self._blocks(state):
                self._time_block(state, size)
        self._release(state)
        self.sample()
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
            self._time_block(state, size)
            if not resident:
                self._release(state)
        if self._next_block(state) is None:
            if state.spec.run in self._children:
                self._release(state)
            self._finish(state)

    def _make_ready(self, state: RunState) -> None:
        self._open(state, report=False)
        self._warm_up(state)

    def _load_together(self) -> bool:
        """Load all runs beside each other; False, with none loaded, where one of them does not go so.

        Each of them ran alone before: what fails now fails for the company, so the run is not over.
        """
        try:
            for state in self._unfinished():
                self._make_ready(state)
        except RunFailedError as error:
            self._host.log(f"not all variants load together, so every block loads anew: {error}")
            for state in self._unfinished():
                self._stop(state)
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

    def _open(self, state: RunState, report: bool) -> None:
        memory = NeededMemory()

        def forward(line: bytes) -> None:
            if line.startswith(_LOAD_MEMORY):
                memory.add(line)
            self._host.forward(line)

        child = self._new_child(state, forward)
        answer = child.request(
            **self._first_command(state, self._settings.runtime or LITE, do="open", report=report)
        )
        self._clock_ns = max(self._clock_ns, answer["clock_ns"])
        state.provenance = build(Provenance, answer["provenance"])
        if report:
            state.need_bytes = memory.need_bytes()

    def _start_extra(self, state: RunState, runtime: str, command: Dict[str, Any]) -> Child:
        child = self._new_child(state, self._host.forward)
        child.request(**self._first_command(state, runtime, **command))
        return child

    def _new_child(self, state: RunState, forward: Callable[[bytes], None]) -> Child:
        run = state.spec.run
        child = Child(run, self._settings, self._loop, forward, self._host.send, self._board.root)
        self._children[run] = child
        return child

    def _first_command(self, state: RunState, runtime: str, **more: Any) -> Dict[str, Any]:
        """Return the command that makes a worker load the run's model."""
        spec, environment = state.spec, self._board.environment
        command = dict(
            spec=spec,
            runtime=runtime,
            core_mask=spec.core_mask or self._settings.core_mask,
            sys_root=str(self._board.root),
            soc=environment.soc,
            simulated=environment.simulated,
            cpus=self._board.big_cpus,
            behaviour_path=os.environ.get("RKBENCH_VIRTUAL_BEHAVIOUR") or None,
            clock_ns=self._clock_ns,
            report=False,
            **self._paths(spec),
        )
        return {**command, **more}

    def _paths(self, spec: RunSpec) -> Dict[str, Optional[str]]:
        paths: Dict[str, Optional[str]] = {}
        for name, digest in (("model", spec.model), ("golden", spec.golden), ("replay", spec.replay)):
            paths[name + "_path"] = None
            if digest is None:
                continue
            try:
                path = self._board.locate(digest)
            except StorageError as error:
                raise self._absent(spec, str(error)) from error
            if path is None:
                raise self._absent(spec, f"the {name} {digest[:12]} is not in the board's cache")
            paths[name + "_path"] = str(path)
        return paths

    def _absent(self, spec: RunSpec, message: str) -> RunFailedError:
        return RunFailedError(Failed(spec.run, START, BAD_INPUT, message, "upload it before the plan"))

    def _warm_up(self, state: RunState) -> None:
        if self._settings.warmup_iterations > 0:
            self._request_block(state, BlockSize(self._settings.warmup_iterations, 0), warmup=True)

    def _time_block(self, state: RunState, size: BlockSize) -> None:
        # On a virtual clock a block takes no time: samples at its two edges count as inside.
        virtual = state.provenance.latency == MODELLED and state.readings_inside < MINIMUM_READINGS
        if virtual:
            self.sample()
        answer = self._request_block(state, size, warmup=False)
        if virtual:
            self._sample_at(answer["clock_ns"])
            state.readings_inside += MINIMUM_READINGS
        state.block += 1
        state.iterations += answer["iterations"]
        state.duration_ns += answer["total_ns"]
        self._tell_progress(state)

    def _request_block(self, state: RunState, size: BlockSize, warmup: bool) -> Dict[str, Any]:
        child = self._children[state.spec.run]
        child.on_move = None if warmup else partial(self._sample_inside, state)
        answer = child.request(
            do="block",
            scenario=self._settings.scenario,
            block=state.block,
            iterations=size.iterations,
            limit_ns=size.limit_ns,
            warmup=warmup,
            clock_ns=self._clock_ns,
        )
        self._clock_ns = max(self._clock_ns, answer["clock_ns"])
        return answer

    def _sample_inside(self, state: RunState) -> None:
        """Sample while a block runs, until enough samples lie inside: the timer misses a short one."""
        if state.readings_inside < MINIMUM_READINGS:
            state.readings_inside += 1
            self.sample()

    def _tell_progress(self, state: RunState) -> None:
        run, settings = state.spec.run, self._settings
        by_count = state.iterations / max(1, settings.min_iterations)
        by_time = state.duration_ns / max(1.0, settings.min_duration_s * 1e9)
        if by_count <= by_time or settings.min_duration_s <= 0:
            self._host.send(Progress(run, INFERENCE, state.iterations, settings.min_iterations, "iterations"))
        else:
            seconds = state.duration_ns / 1e9
            self._host.send(Progress(run, INFERENCE, seconds, settings.min_duration_s, "seconds"))

    def _release(self, state: RunState) -> None:
        child = self._children[state.spec.run]
        answer = child.request(do="release")
        state.provenance = build(Provenance, answer["provenance"])
        state.add_caveats(
            [build(Caveat, item) for item in answer["caveats"]] + find_caveats(child.printed.doubtful())
        )
        self._stop(state)

    def _stop(self, state: RunState) -> None:
        child = self._children.pop(state.spec.run, None)
        if child is not None:
            child.stop()

    def _finish(self, state: RunState) -> None:
        state.over = True
        if self._board.pin is not None:
            state.add_caveats(self._board.pin.caveats())
        provenance = state.provenance
        if not state.spec.golden:
            provenance = replace(provenance, outputs=None)
        self._host.send(Finished(state.spec.run, state.iterations, provenance, list(state.caveats.values())))
