"""When is enough known of a run? The host decides, from the latencies as they come in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from rkbench_agent.wire.messages import Latencies, Message
from rkbench_agent.wire.plan import RunSettings


class Stop(Protocol):
    """A rule; made anew for each push, with the settings of its plan."""

    def add(self, latencies: Latencies) -> bool:
        """Take a batch of a run into account; return whether enough is known of that run now."""


NewStop = Callable[[RunSettings], Stop]


class PlanEnd:
    """Enough is known at the end of the plan, and not before."""

    def __init__(self, settings: RunSettings) -> None:
        del settings

    def add(self, latencies: Latencies) -> bool:
        """Say that it is never enough."""
        del latencies
        return False


class Stopping:
    """Ends the timed part of each run as soon as a rule says so: `end` tells the agent, without waiting."""

    def __init__(self, stop: Stop, end: Callable[[str], None]) -> None:
        self._stop = stop
        self._end = end
        self._ended: set[str] = set()

    def take(self, message: Message) -> None:
        """Take a message of the stream; what is no latency changes nothing."""
        if isinstance(message, Latencies) and self._stop.add(message) and message.run not in self._ended:
            self._ended.add(message.run)
            self._end(message.run)
