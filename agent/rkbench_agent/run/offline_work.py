"""What a worker does of the scenario `offline`: one step, with as many contexts as it can make."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List

from rkbench_agent.run.batches import batches
from rkbench_agent.run.crew import Crew, memory_now
from rkbench_agent.scenarios.offline import engine_of, run_contexts
from rkbench_agent.wire.scenario_messages import OfflineStep

if TYPE_CHECKING:
    from rkbench_agent.run.answers import AnswerStream, Counter
    from rkbench_agent.runtimes.lanes import Lane


class OfflineWork:
    """Measures steps with the contexts of `crew`, and tells the host."""

    def __init__(self, run: str, crew: Crew, root: Path, simulated: bool) -> None:
        self._run = run
        self._crew = crew
        self._root = root
        self._simulated = simulated

    def run(self, command: Dict[str, Any], answers: AnswerStream, counter: Counter) -> Dict[str, Any]:
        """Carry out one command; nothing is measured where a context is missing, and `problem` says why."""
        masks = command["core_masks"]
        problem = self._crew.grow(masks, command["warmups"])
        contexts = self._crew.contexts[: len(masks)]
        start_ns = max(context.clock_ns() for context in contexts)
        answer = {"problem": problem, "blocks": 0, "iterations": 0, "clock_ns": start_ns, "total_ns": 0}
        if problem:
            return answer
        for context in contexts:
            context.begin_block(max(start_ns, command["clock_ns"]), command["worked_ns"])
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
        for number, lane in enumerate(lanes, command["block"]):
            for batch in batches(self._run, number, False, lane):
                answers.send(batch)
        blocks = list(range(command["block"], command["block"] + len(lanes)))
        answers.send(
            OfflineStep(
                self._run,
                command["placement"],
                len(lanes),
                blocks,
                masks,
                contexts[0].shares_weights,
                **memory,
                npu_bytes=self._crew.npu_bytes(len(lanes)),
                core_busy_ns=engine.core_busy_ns(),
            )
        )
        return dict(answer, **_done(lanes))


def _done(lanes: List[Lane]) -> Dict[str, int]:
    end_ns = max(lane.runtime.clock_ns() for lane in lanes)
    return {
        "blocks": len(lanes),
        "iterations": sum(lane.count for lane in lanes),
        "clock_ns": end_ns,
        "total_ns": end_ns - min(lane.start_ns[0] for lane in lanes if lane.count),
    }
