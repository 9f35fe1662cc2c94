"""The worker: one process per variant. It loads the model, and does what the supervisor asks.

Commands are lines of JSON; `answers` says what goes back. Fds 1 and 2 belong to the vendor's library
and are captured by the supervisor.
"""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

from rkbench_agent import libc
from rkbench_agent.board.memory import resident_pages_bytes
from rkbench_agent.errors import RuntimeFailureError
from rkbench_agent.run.answers import AnswerStream, Counter
from rkbench_agent.run.batches import batches
from rkbench_agent.run.model_setup import first_inputs_of, setup_of
from rkbench_agent.run.phases import Phases
from rkbench_agent.run.step_work import StepWork
from rkbench_agent.runtimes.base import ModelSetup, Runtime
from rkbench_agent.runtimes.registry import new_runtime
from rkbench_agent.scenarios import find_scenario
from rkbench_agent.wire.caveats import Caveat, caveat
from rkbench_agent.wire.codec import build
from rkbench_agent.wire.messages import ProfileText
from rkbench_agent.wire.plan import RunSpec
from rkbench_agent.wire.words import (
    BEFORE,
    FIRST_INFERENCE,
    GOLDEN,
    INFERENCE,
    INTERFERENCE,
    LOAD,
    MEASURED,
    MODEL_READ,
    OFFLINE,
    OUT_OF_MEMORY,
    RELEASE,
    RELEASED,
    RUNTIME_INITIALISED,
    SERVER,
    SOAK,
    START,
    STEADY,
    WARMUP,
)

#: So many inferences, first one included, before memory counts as steady.
STEADY_INFERENCES = 3


def main(args: List[str]) -> int:
    """Run the worker: args are the parent's pid, the command, answer and counter descriptors, a nonce."""
    parent_pid, commands_fd, answers_fd, counter_fd = (int(arg) for arg in args[:4])
    libc.die_with_parent(parent_pid)
    _make_expendable()
    libc.make_stdio_line_buffered()
    answers = AnswerStream(answers_fd, args[4])
    counter = Counter(counter_fd)
    with os.fdopen(commands_fd, "rb", buffering=0) as commands:
        worker: Optional[Worker] = None
        for line in iter(commands.readline, b""):
            command = json.loads(line.decode("utf-8"))
            try:
                if command["do"] == "open":
                    worker = Worker(command, answers, counter)
                    result = worker.open()
                elif command["do"] == "cycles":
                    result = Worker(command, answers, counter).cycle()
                else:
                    assert worker is not None, "the first command is open"
                    result = worker.do(command)
            except RuntimeFailureError as error:
                answers.fail(error)
                continue
            except MemoryError as error:
                answers.fail(RuntimeFailureError(f"no memory: {error}", reason=OUT_OF_MEMORY))
                continue
            answers.mark()
            answers.control(done=result)
    return 0


class Worker:
    """One variant, loaded and run."""

    def __init__(self, command: Dict[str, Any], answers: AnswerStream, counter: Counter) -> None:
        self._spec = build(RunSpec, command["spec"])
        self._command = command
        self._answers = answers
        self._counter = counter
        self._root = Path(command["sys_root"])
        simulated = command["simulated"]
        self._phases = Phases(self._spec.run, command["load"], self._root, simulated, answers)
        self._runtime: Runtime
        self._inputs: List[Any] = []
        self._current = START
        self._doubts: List[Caveat] = []
        self._steps = StepWork(self._spec.run, self._root, simulated, answers, counter)

    def do(self, command: Dict[str, Any]) -> Dict[str, Any]:
        """Carry out one command after `open`."""
        actions: Dict[str, Callable[[Dict[str, Any]], Dict[str, Any]]] = {
            "golden": self._golden,
            "block": self._block,
            OFFLINE: self._step,
            SERVER: self._step,
            SOAK: self._step,
            INTERFERENCE: self._step,
            "beside": self._step,
            "other": self._load_other,
            "profile": self._profile,
            "release": self._release,
        }
        return actions[command["do"]](command)

    def open(self) -> Dict[str, Any]:
        """Load the model phase by phase and run it until memory is steady.

        What this program imports of its own stands before the first phase: it is no memory of the model's.
        """
        self._stage(LOAD)
        self._place()
        self._runtime = new_runtime(self._command["runtime"], self._setup())
        from rkbench_agent.run import cases  # noqa: F401  # feeds the first inputs; needs numpy, as runtimes do

        self._runtime.enter(LOAD)
        self._phase(BEFORE, None)
        self._phase(MODEL_READ, self._timed(self._runtime.read))
        self._phase(RUNTIME_INITIALISED, self._timed(self._runtime.initialise))
        self._inputs = self._first_inputs()
        self._runtime.feed(self._inputs)
        self._stage(FIRST_INFERENCE)
        self._phase(FIRST_INFERENCE, self._timed(self._infer))
        for _ in range(STEADY_INFERENCES - 1):
            self._infer()
        self._phase(STEADY, None)
        return {
            "provenance": self._runtime.provenance(),
            "clock_ns": self._runtime.clock_ns(),
            "need_bytes": self._phases.need_bytes(),
        }

    def cycle(self) -> Dict[str, Any]:
        """Load and release as often as the command says, instead of `open`."""
        from rkbench_agent.run.cycles import run_cycles

        self._place()
        inputs: List[Any] = []

        def prepare(runtime: Runtime) -> None:
            if not inputs:
                inputs.extend(self._first_inputs())
            runtime.feed(inputs)

        run_cycles(
            self._spec.run,
            self._command["count"],
            lambda: new_runtime(self._command["runtime"], self._setup()),
            prepare,
            self._answers,
            self._root,
            self._command["simulated"],
        )
        return {}

    def _profile(self, command: Dict[str, Any]) -> Dict[str, Any]:
        del command
        profile: Optional[Callable[[], str]] = getattr(self._runtime, "profile", None)
        if profile is None:
            name = self._command["runtime"]
            raise RuntimeFailureError(f"the runtime {name} does not tell the time of each layer")
        source = getattr(self._runtime, "profile_provenance", MEASURED)
        self._answers.send(ProfileText(self._spec.run, self._command["runtime"], profile(), source))
        return {}

    def _place(self) -> None:
        """Stay on the CPUs that the supervisor names; the runtime's threads inherit it."""
        wanted = set(self._command["cpus"])
        if not wanted:
            return
        try:
            os.sched_setaffinity(0, wanted)
        except OSError as error:
            told = ", ".join(str(cpu) for cpu in sorted(wanted))
            text = f"the worker could not be placed on the big cores (CPU {told}): {error.strerror}"
            advice = "look at cpusets and isolated CPUs of the board"
            self._doubts.append(caveat("not_on_big_cores", text, advice))

    def _stage(self, name: str) -> None:
        self._current = name
        self._answers.control(stage=name)
        if name != LOAD:
            self._runtime.enter(name)

    def _setup(self) -> ModelSetup:
        return setup_of(self._command, self._spec)

    def _timed(self, action: Callable[[], None]) -> int:
        start_ns = self._runtime.clock_ns()
        action()
        return self._runtime.clock_ns() - start_ns

    def _infer(self) -> None:
        if self._runtime.infer() is None:
            raise RuntimeFailureError("the runtime returned no outputs")
        self._counter.increment()

    def _phase(self, phase: str, duration_ns: Optional[int]) -> None:
        if self._command["report"]:
            npu = self._runtime.npu_memory() if phase not in (BEFORE, MODEL_READ) else None
            self._phases.tell(phase, duration_ns, npu)
        self._answers.mark()

    def _first_inputs(self) -> List[Any]:
        return first_inputs_of(self._command, self._spec)

    def _golden(self, command: Dict[str, Any]) -> Dict[str, Any]:
        del command
        from rkbench_agent.run import cases

        self._stage(GOLDEN)
        path = self._command["golden_path"]
        if path is None:
            cases.probe(self._spec, self._runtime, self._answers, self._counter)
        else:
            cases.compare(self._spec, path, self._runtime, self._answers, self._counter)
        self._runtime.feed(self._inputs)
        return {}

    def _block(self, command: Dict[str, Any]) -> Dict[str, Any]:
        warmup = bool(command["warmup"])
        stage = WARMUP if warmup else INFERENCE
        if stage != self._current:
            self._stage(stage)
        self._runtime.begin_block(command["clock_ns"], command["worked_ns"])
        before_bytes = resident_pages_bytes()
        load, unread = command["load"], command["unread"]
        block = find_scenario(command["scenario"]).run_block(
            self._runtime,
            command["iterations"],
            limit_ns=command["limit_ns"],
            unread=unread,
            beat=self._counter.increment,
        )
        growth_bytes = _minus(resident_pages_bytes(), before_bytes)
        for batch in batches(self._spec.run, command["block"], warmup, block, load=load, unread=unread):
            self._answers.send(batch)
        return {
            "iterations": max(0, block.count - unread),
            "total_ns": sum(block.duration_ns[unread : block.count]),
            "worked_ns": block.total_ns,
            "growth_bytes": growth_bytes,
            "clock_ns": self._runtime.clock_ns(),
        }

    def _load_other(self, command: Dict[str, Any]) -> Dict[str, Any]:
        """Load the model that this one has beside it."""
        self._stage(LOAD)
        return self._steps.load_other(command, self._runtime, self._stage)

    def _step(self, command: Dict[str, Any]) -> Dict[str, Any]:
        if self._current != INFERENCE:
            self._stage(INFERENCE)
        return self._steps.carry_out(command, self._runtime, self._inputs)

    def _release(self, command: Dict[str, Any]) -> Dict[str, Any]:
        del command
        self._stage(RELEASE)
        caveats = self._runtime.caveats() + self._steps.caveats()
        self._steps.release()
        duration_ns = self._timed(self._runtime.release)
        self._phase(RELEASED, duration_ns)
        return {
            "caveats": caveats + self._doubts,
            "provenance": self._runtime.provenance(),
        }


def _minus(after: Optional[int], before: Optional[int]) -> Optional[int]:
    return None if after is None or before is None else after - before


def _make_expendable() -> None:
    """Let the kernel kill this process first when memory runs out, and leave no core file behind."""
    try:
        with Path("/proc/self/oom_score_adj").open("w") as file:
            file.write("1000")
    except OSError as error:
        os.write(2, f"rkbench: oom_score_adj: {error}\n".encode())
    # 0 still feeds a core dump to systemd-coredump or apport; 1 is the kernel's word for "not even that".
    # Where the hard limit is 0 already (containers, hardened systems) nobody may raise it.
    most = resource.getrlimit(resource.RLIMIT_CORE)[1]
    least = 0 if most == 0 else 1
    resource.setrlimit(resource.RLIMIT_CORE, (least, least))
