"""What a worker does of the scenario `interference`: a second model beside its own, and their rounds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Callable, Dict, List

from rkbench_agent.errors import RuntimeFailureError
from rkbench_agent.run.batches import batches
from rkbench_agent.run.model_setup import first_inputs_of, setup_of
from rkbench_agent.runtimes.base import Runtime
from rkbench_agent.runtimes.lanes import Lane, blamed
from rkbench_agent.runtimes.registry import new_runtime
from rkbench_agent.scenarios.interference import Watch, keep_busy
from rkbench_agent.scenarios.offline import engine_of
from rkbench_agent.wire.caveats import Caveat
from rkbench_agent.wire.codec import build
from rkbench_agent.wire.plan import RunSpec
from rkbench_agent.wire.scenario_messages import InterferenceOutputs, InterferenceRound
from rkbench_agent.wire.words import FIRST_INFERENCE, INFERENCE, LOAD

if TYPE_CHECKING:
    from rkbench_agent.run.answers import AnswerStream, Counter

#: Calls alone whose outputs must be equal before others are held against them.
ALONE_CALLS = 2


class InterferenceWork:
    """The worker's own model, loaded and fed, and the other one, which `other` names as `open` does."""

    def __init__(self, run: str, own: Runtime, other: Dict[str, Any]) -> None:
        self._run = run
        self._command = other
        self._spec = build(RunSpec, other["spec"])
        self._own = own
        self._other = new_runtime(other["runtime"], setup_of(other, self._spec))
        self._engine = engine_of(own)

    def load(self, warmups: int, counter: Counter, enter: Callable[[str], None]) -> Dict[str, Any]:
        """Load the other model, and warm both up."""
        with blamed(self._spec.name):
            self._other.enter(LOAD)
            self._other.read()
            self._other.initialise()
            self._other.feed(first_inputs_of(self._command, self._spec))
            enter(FIRST_INFERENCE)
            self._other.enter(FIRST_INFERENCE)
            self._call(self._other, 1 + warmups, counter)
        self._call(self._own, warmups, counter)
        enter(INFERENCE)
        self._other.enter(INFERENCE)
        return {"clock_ns": self._now_ns()}

    def round(self, command: Dict[str, Any], answers: AnswerStream, counter: Counter) -> Dict[str, Any]:
        """Measure each model alone, then both; the second time round the other way about."""
        start_ns, first = self._now_ns(), command["block"]
        slices = [(self._own,), (self._other,), (self._own, self._other)]
        order = (0, 1, 2) if command["turn"] % 2 == 0 else (2, 1, 0)
        lanes = {which: self._slice(slices[which], command, start_ns, counter) for which in order}
        told = [*lanes[0], *lanes[1], *lanes[2]]
        for number, lane in enumerate(told, first):
            for batch in batches(self._run, number, False, lane):
                answers.send(batch)
        answers.send(
            InterferenceRound(
                self._run,
                command["placement"],
                command["core_masks"],
                *range(first, first + len(told)),
            )
        )
        return self._done(start_ns, sum(lane.count for lane in told))

    def check(self, command: Dict[str, Any], answers: AnswerStream, counter: Counter) -> Dict[str, Any]:
        """Look at what both models yield alone, then under load, where nothing is timed."""
        start_ns = self._now_ns()
        watches = []
        for runtime in (self._own, self._other):
            watch = Watch(runtime)
            for _ in range(ALONE_CALLS):
                watch.look(runtime.infer())
                counter.increment()
            watches.append(watch)
        alone = [(watch.seen, not watch.changed()) for watch in watches]
        self._slice((self._own, self._other), command, start_ns, counter, watches)
        for index, watch in enumerate(watches):
            answers.send(self._outputs(command, bool(index), watch, *alone[index]))
        return self._done(start_ns, 0)

    def release(self) -> None:
        """Give the other model back."""
        self._other.release()

    def caveats(self) -> List[Caveat]:
        """Return the doubts of the other model, each with its name."""
        told = self._other.caveats()
        return [replace(item, message=f"{self._spec.name}: {item.message}") for item in told]

    def _slice(
        self, runtimes: Any, command: Dict[str, Any], start_ns: int, counter: Counter, watches: Any = ()
    ) -> List[Lane]:
        """Keep the models busy once; clocks that are virtual begin at one time."""
        now_ns = max(self._now_ns(), command["clock_ns"])
        worked_ns = command["worked_ns"] + self._now_ns() - start_ns
        lanes = [Lane(runtime) for runtime in runtimes]
        for lane in lanes:
            lane.runtime.begin_block(now_ns, worked_ns)
            lane.name = self._spec.name if lane.runtime is self._other else ""
        for lane, watch in zip(lanes, watches):
            lane.look = watch.look
        iterations, duration_ns = command["iterations"], command["duration_ns"]
        limit_ns, beat = command["limit_ns"], counter.increment
        keep_busy(lanes, self._engine, iterations, duration_ns, limit_ns=limit_ns, beat=beat)
        return lanes

    def _outputs(
        self, command: Dict[str, Any], is_other: bool, watch: Watch, seen: int, repeats: bool
    ) -> InterferenceOutputs:
        names = command["other_outputs"] if is_other else command["outputs"]
        changed = watch.changed() if repeats else []
        return InterferenceOutputs(
            self._run,
            command["placement"],
            is_other,
            watch.seen - seen if repeats else 0,
            repeats,
            [names[number] for number, _ in changed],
            [count for _, count in changed],
        )

    def _call(self, runtime: Runtime, times: int, counter: Counter) -> None:
        for _ in range(times):
            if runtime.infer() is None:
                raise RuntimeFailureError("the runtime returned no outputs")
            counter.increment()

    def _now_ns(self) -> int:
        return max(self._own.clock_ns(), self._other.clock_ns())

    def _done(self, start_ns: int, iterations: int) -> Dict[str, Any]:
        end_ns = self._now_ns()
        return {"iterations": iterations, "clock_ns": end_ns, "total_ns": end_ns - start_ns}
