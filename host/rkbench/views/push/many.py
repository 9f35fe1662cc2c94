"""From how many on runs are shown together, and what is told of them as one while they go on."""

from __future__ import annotations

from rkbench_agent.wire.words import GOLDEN, INFERENCE, LOAD, WARMUP

from rkbench.results.events import Ended, Event, Measuring, Sending, Step
from rkbench.results.model import RunResult

#: From so many runs on a row each is read more easily than a column each, and progress tells them as one.
FEWEST_ROWS = 5
_STAGES = (LOAD, GOLDEN, WARMUP, INFERENCE)


class Crowd:
    """Knows from the steps of a push whether many go through them together."""

    def __init__(self) -> None:
        self._together = 0

    def take(self, event: Event) -> None:
        """Take an event into account; to be called before it is asked for."""
        if isinstance(event, Step) and event.together:
            self._together = event.together

    @property
    def is_one(self) -> bool:
        """Whether there are so many."""
        return self._together >= FEWEST_ROWS

    def covers(self, event: Event) -> bool:
        """Tell whether the line of a step says enough of an event of one of many."""
        stage = isinstance(event, Measuring) and event.stage in _STAGES
        return self.is_one and (stage or isinstance(event, Sending))

    def ended_well(self, event: Event) -> RunResult | None:
        """Return the run of an event that says of one of many that it came to its end; else None."""
        if self.is_one and isinstance(event, Ended) and event.run.failure is None:
            return event.run
        return None
