"""What a worker does of scenarios with several contexts: one step each, with as many as it can make."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List

from rkbench_agent.run.batches import batches
from rkbench_agent.run.crew import Crew, memory_now
from rkbench_agent.runtimes.base import Runtime
from rkbench_agent.scenarios.offline import engine_of, run_contexts
from rkbench_agent.scenarios.server import serve
from rkbench_agent.wire.scenario_messages import OfflineStep, ServerStep

if TYPE_CHECKING:
    from rkbench_agent.run.answers import AnswerStream, Counter
    from rkbench_agent.runtimes.lanes import Lane


class CrewWork:
    """Measures steps with the contexts of `crew`, and tells the host."""

    def __init__(self, run: str, crew: Crew, root: Path, simulated: bool) -> None:
        self._run = run
        self._crew = crew
        self._root = root
        self._simulated = simulated

    def offline(self, command: Dict[str, Any], answers: AnswerStream, counter: Counter) -> Dict[str, Any]:
        """Carry out one step; nothing is measured where a context is missing, and `problem` says why."""
        problem = self._crew.grow(command["core_masks"], command["warmups"])
        contexts = self._ready(command)
        if problem:
            return _unmeasured(problem, contexts)
        memory = memory_now(self._root, self._simulated)
        engine = engine_of(contexts[0])
        lanes = run_contexts(
            contexts,
            engine,
            command["iterations"],
            command["duration_ns"],
            limit_ns=command["limit_ns"],
            beat=counter.increment,
        )
        answers.send(
            OfflineStep(
                self._run,
                command["placement"],
                len(lanes),
                self._send_lanes(lanes, command["block"], answers),
                command["core_masks"],
                contexts[0].shares_weights,
                **memory,
                npu_bytes=self._crew.npu_bytes(len(lanes)),
                core_busy_ns=engine.core_busy_ns(),
            )
        )
        return _done(lanes)

    def server(self, command: Dict[str, Any], answers: AnswerStream, counter: Counter) -> Dict[str, Any]:
        """Serve one rate; without a rate, find what the contexts do when they are always busy."""
        problem = self._crew.grow(command["core_masks"], command["warmups"])
        contexts = self._ready(command)
        if problem:
            return _unmeasured(problem, contexts)
        rate_per_s, engine = command["rate_per_s"], engine_of(contexts[0])
        count, duration_ns = command["iterations"], command["duration_ns"]
        if rate_per_s is None:
            lanes = run_contexts(contexts, engine, count, duration_ns, beat=counter.increment)
        else:
            count = max(count, int(rate_per_s * duration_ns / 1e9) + 1)
            lanes = serve(contexts, engine, rate_per_s, count, command["seed"], beat=counter.increment)
        answers.send(
            ServerStep(
                self._run,
                rate_per_s,
                self._send_lanes(lanes, command["block"], answers),
                sum(lane.late_ns for lane in lanes),
                sum(lane.waits for lane in lanes),
            )
        )
        return _done(lanes)

    def _ready(self, command: Dict[str, Any]) -> List[Runtime]:
        contexts = self._crew.contexts[: len(command["core_masks"])]
        start_ns = max(context.clock_ns() for context in contexts)
        for context in contexts:
            context.begin_block(max(start_ns, command["clock_ns"]), command["worked_ns"])
        return contexts

    def _send_lanes(self, lanes: List[Lane], block: int, answers: AnswerStream) -> List[int]:
        """Send the latencies of each lane as a block of its own; returns the blocks' numbers."""
        numbers = list(range(block, block + len(lanes)))
        for number, lane in zip(numbers, lanes):
            for batch in batches(self._run, number, False, lane):
                answers.send(batch)
        return numbers


def _unmeasured(problem: str, contexts: List[Runtime]) -> Dict[str, Any]:
    now_ns = max(context.clock_ns() for context in contexts)
    return {"problem": problem, "blocks": 0, "iterations": 0, "clock_ns": now_ns, "total_ns": 0}


def _done(lanes: List[Lane]) -> Dict[str, Any]:
    end_ns = max(lane.runtime.clock_ns() for lane in lanes)
    return {
        "problem": "",
        "blocks": len(lanes),
        "iterations": sum(lane.count for lane in lanes),
        "clock_ns": end_ns,
        "total_ns": end_ns - min(lane.start_ns[0] for lane in lanes if lane.count),
    }
