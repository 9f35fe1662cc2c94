"""When is enough known of a run? The host decides, from the latencies as they come in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Protocol

from rkbench_agent.wire.messages import Latencies, Message
from rkbench_agent.wire.plan import RunSettings


class Stop(Protocol):
    """A rule; made anew for each push, with the settings of its plan."""

    def add(self, latencies: Latencies) -> bool:
        """Take a batch of a run into account; return whether enough is known of that run now."""


NewStop = Callable[[RunSettings], Stop]


class CountAndSeconds:
    """Enough are `min_iterations` and `min_duration_s` of timed iterations: the plan's own end."""

    def __init__(self, settings: RunSettings) -> None:
        self._settings = settings
        self._iterations: Counter[str] = Counter()
        self._duration_ns: Counter[str] = Counter()

    def add(self, latencies: Latencies) -> bool:
        """Count a batch, unless it is of the warm-up."""
        if latencies.warmup:
            return False
        run = latencies.run
        self._iterations[run] += len(latencies.duration_ns)
        self._duration_ns[run] += sum(latencies.duration_ns)
        return (
            self._iterations[run] >= self._settings.min_iterations
            and self._duration_ns[run] >= self._settings.min_duration_s * 1e9
        )


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
