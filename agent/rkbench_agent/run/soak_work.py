"""What a worker does of the scenario `soak`: one window, its outputs digested, its memory told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict

from rkbench_agent.board.memory import dma_buf_bytes, resident_bytes
from rkbench_agent.run.batches import batches
from rkbench_agent.runtimes.base import Runtime
from rkbench_agent.scenarios.soak import Digests, run_window
from rkbench_agent.wire.scenario_messages import SoakWindow

if TYPE_CHECKING:
    from rkbench_agent.run.answers import AnswerStream, Counter


class SoakWork:
    """The windows of one run; what its outputs were is remembered over all of them."""

    def __init__(self, run: str, runtime: Runtime, simulated: bool) -> None:
        self._run = run
        self._runtime = runtime
        self._simulated = simulated
        self._digests = Digests()

    def window(self, command: Dict[str, Any], answers: AnswerStream, counter: Counter) -> Dict[str, Any]:
        """Measure one window, and tell the host."""
        self._runtime.begin_block(command["clock_ns"], command["worked_ns"])
        start_ns, digests = self._runtime.clock_ns(), self._digests
        lane = run_window(self._runtime, command["window_ns"], command["most"], digests, counter.increment)
        for batch in batches(self._run, command["block"], False, lane):
            answers.send(batch)
        end_ns = self._runtime.clock_ns()
        answers.send(
            SoakWindow(
                self._run,
                command["block"],
                end_ns - start_ns,
                digests.seen,
                digests.changed,
                digests.first_changed,
                resident_bytes(),
                None if self._simulated else dma_buf_bytes(),
            )
        )
        return {"iterations": lane.count, "clock_ns": end_ns, "total_ns": end_ns - start_ns}
