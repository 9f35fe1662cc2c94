"""The workers of a plan: one process for each run that is loaded, started with what it needs to know."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any, Callable, Dict, Optional

from rkbench_agent.errors import RunFailedError, StorageError
from rkbench_agent.loop import Loop
from rkbench_agent.run.child import Child
from rkbench_agent.run.state import Host, PlanBoard, PlanClock, RunState
from rkbench_agent.wire.codec import build
from rkbench_agent.wire.messages import Failed, Progress
from rkbench_agent.wire.plan import RunSettings, RunSpec
from rkbench_agent.wire.provenance import Provenance
from rkbench_agent.wire.words import BAD_INPUT, LOAD, START


class Workers:
    """At most one worker for each run; what they say goes to the host."""

    def __init__(
        self,
        runtime: str,
        settings: RunSettings,
        board: PlanBoard,
        host: Host,
        loop: Loop,
        clock: PlanClock,
    ) -> None:
        self._runtime = runtime
        self._settings = settings
        self._board = board
        self._host = host
        self._loop = loop
        self._clock = clock
        self._children: Dict[str, Child] = {}

    def open(self, state: RunState, report: bool, core_mask: Optional[str] = None) -> None:
        """Load the run's model in a new worker; with `report`, tell the host what that took of memory.

        `core_mask` stands for the run's own.
        """
        state.core_mask = core_mask or state.spec.core_mask or self._settings.core_mask
        load = state.reported
        state.reported += report
        loads = max(self._settings.loads or 1, state.load + 1)
        self._host.send(Progress(state.spec.run, LOAD, state.load, loads, "loads"))
        command = {"do": "open", "report": report, "load": load, "core_mask": state.core_mask}
        answer = self._start(state, self._runtime, command)
        self._clock.reach(answer["clock_ns"])
        state.provenance = build(Provenance, answer["provenance"])
        if report and load == 0:
            state.need_bytes = answer["need_bytes"]

    def start_extra(self, state: RunState, runtime: str, command: Dict[str, Any]) -> Child:
        """Start a worker for something beside the clean run."""
        self._start(state, runtime, command)
        return self.child(state)

    def command_of(self, state: RunState, other: RunSpec, core_mask: str) -> Dict[str, Any]:
        """Return what makes the worker of a run load another model beside its own, on these cores."""
        spec = replace(other, run=state.spec.run, core_mask=core_mask)
        return self._first_command(spec, self._runtime)

    def child(self, state: RunState) -> Child:
        """Return the worker of a run that is loaded."""
        return self._children[state.spec.run]

    def is_loaded(self, state: RunState) -> bool:
        """Tell whether a run has a worker."""
        return state.spec.run in self._children

    def stage(self, state: RunState) -> str:
        """Return the stage that a run is in."""
        child = self._children.get(state.spec.run)
        return child.stage if child else START

    def stop(self, state: RunState) -> None:
        """End the worker of a run, if it has one."""
        child = self._children.pop(state.spec.run, None)
        if child is not None:
            child.stop()

    def stop_all(self) -> None:
        """End every worker."""
        for child in list(self._children.values()):
            child.stop()

    def _start(self, state: RunState, runtime: str, command: Dict[str, Any]) -> Dict[str, Any]:
        run = state.spec.run
        forward: Callable[[bytes], None] = self._host.forward
        child = Child(run, self._settings, self._loop, forward, self._host.send, self._board.root)
        self._children[run] = child
        return child.request(**{**self._first_command(state.spec, runtime), **command})

    def _first_command(self, spec: RunSpec, runtime: str) -> Dict[str, Any]:
        """Return what every command has that makes a worker load the run's model."""
        environment = self._board.environment
        return dict(
            spec=spec,
            runtime=runtime,
            core_mask=spec.core_mask or self._settings.core_mask,
            sys_root=str(self._board.root),
            soc=environment.soc,
            npu_cores=environment.npu_cores,
            simulated=environment.simulated,
            cpus=self._board.big_cpus,
            behaviour_path=os.environ.get("RKBENCH_VIRTUAL_BEHAVIOUR") or None,
            clock_ns=self._clock.now_ns,
            worked_ns=self._clock.worked_ns,
            report=False,
            load=0,
            **self._paths(spec),
        )

    def _paths(self, spec: RunSpec) -> Dict[str, Optional[str]]:
        paths: Dict[str, Optional[str]] = {}
        for name, digest in (("model", spec.model), ("golden", spec.golden), ("replay", spec.replay)):
            paths[name + "_path"] = None
            if digest is None:
                continue
            try:
                path = self._board.locate(digest)
            except StorageError as error:
                raise _absent(spec, str(error)) from error
            if path is None:
                raise _absent(spec, f"the {name} {digest[:12]} is not in the board's cache")
            paths[name + "_path"] = str(path)
        return paths


def _absent(spec: RunSpec, message: str) -> RunFailedError:
    return RunFailedError(Failed(spec.run, START, BAD_INPUT, message, "upload it before the plan"))
