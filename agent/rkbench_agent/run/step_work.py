"""What a worker does of scenarios that are made of steps: who carries out which command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional

from rkbench_agent.run.crew import Crew
from rkbench_agent.run.crew_work import CrewWork
from rkbench_agent.run.interference_work import InterferenceWork
from rkbench_agent.run.soak_work import SoakWork
from rkbench_agent.runtimes.base import Runtime
from rkbench_agent.wire.caveats import Caveat
from rkbench_agent.wire.words import INTERFERENCE, OFFLINE, SOAK

if TYPE_CHECKING:
    from rkbench_agent.run.answers import AnswerStream, Counter


class StepWork:
    """The steps of one worker, whose own context is loaded and fed; others are made when they are needed."""

    def __init__(
        self, run: str, root: Path, simulated: bool, answers: AnswerStream, counter: Counter
    ) -> None:
        self._run = run
        self._root = root
        self._simulated = simulated
        self._answers = answers
        self._counter = counter
        self._crew: Optional[Crew] = None
        self._soak: Optional[SoakWork] = None
        self._beside: Optional[InterferenceWork] = None

    def load_other(
        self, command: Dict[str, Any], runtime: Runtime, enter: Callable[[str], None]
    ) -> Dict[str, Any]:
        """Load the model of the scenario `interference` beside the worker's own; `enter` tells the stages."""
        self._beside = InterferenceWork(self._run, runtime, command["other"])
        return self._beside.load(command["warmups"], self._counter, enter)

    def carry_out(self, command: Dict[str, Any], runtime: Runtime, inputs: List[Any]) -> Dict[str, Any]:
        """Carry out one step, and return the answer for the supervisor."""
        if self._beside is not None:
            work = self._beside.round if command["do"] == INTERFERENCE else self._beside.check
            return work(command, self._answers, self._counter)
        if command["do"] == SOAK:
            self._soak = self._soak or SoakWork(self._run, runtime, self._simulated)
            return self._soak.window(command, self._answers, self._counter)
        self._crew = self._crew or Crew(runtime, inputs, self._counter.increment)
        crew = CrewWork(self._run, self._crew, self._root, self._simulated)
        step = crew.offline if command["do"] == OFFLINE else crew.server
        return step(command, self._answers, self._counter)

    def release(self) -> None:
        """Give back what was made for steps."""
        if self._crew is not None:
            self._crew.release()
        if self._beside is not None:
            self._beside.release()

    def caveats(self) -> List[Caveat]:
        """Return what a second model doubts; whose doubt it is, it says."""
        return self._beside.caveats() if self._beside is not None else []
