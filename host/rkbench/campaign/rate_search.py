"""Which rate a server shall be tried with next: bisection between what surely keeps the limit and the rest.

What so many calls cannot tell counts as not kept: the goodput is a rate that can be relied upon.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from rkbench_agent.wire.messages import Latencies, Message
from rkbench_agent.wire.plan import RunSettings
from rkbench_agent.wire.scenario_messages import ServerStep
from rkbench_agent.wire.words import VIRTUAL

from rkbench.campaign.interfaces import Conversation
from rkbench.campaign.stopping import Stop, Stopping
from rkbench.results.server import judge, parse_slo
from rkbench.units import format_about_seconds, format_rate

#: The goodput is known to this part of what the contexts can do at all: in six halves of it.
RESOLUTION = 0.03
#: Takes a run's id, and a sentence about it.
Tell = Callable[[str, str], None]


def hearer_of(settings: RunSettings, session: Conversation, stop: Stop, tell: Tell) -> Stopping | RateSearch:
    """Return what hears a push's stream, to tell the agent what is enough or what to do next."""
    if settings.find_rate:
        return RateSearch(settings, session.try_rate, session.enough, tell)
    return Stopping(stop, session.enough)


class RateSearch:
    """Hears the messages of a push, and after each try of a run asks for its next rate, or says enough.

    What the contexts do when they are always busy bounds the rate: no queue keeps any limit there. Once that
    is known it tells how long the search takes, unless the board's clock is virtual.
    """

    def __init__(
        self,
        settings: RunSettings,
        try_rate: Callable[[str, float], None],
        enough: Callable[[str], None],
        tell: Tell,
    ) -> None:
        self._settings = settings
        self._objective = parse_slo(settings.slo)
        self._try_rate = try_rate
        self._enough = enough
        self._tell = tell
        self._searches: dict[str, _Search] = {}
        self._calls: dict[str, dict[int, list[tuple[int, int]]]] = {}

    def take(self, message: Message) -> None:
        """Take a message of the stream; what is no latency and no step of a server changes nothing."""
        if isinstance(message, Latencies):
            blocks = self._calls.setdefault(message.run, {})
            calls = zip(message.start_ns, message.duration_ns, strict=True)
            blocks.setdefault(message.block, []).extend(() if message.warmup else calls)
        elif isinstance(message, ServerStep):
            blocks = self._calls.pop(message.run, {})
            calls_of_step = sorted(call for block in message.blocks for call in blocks.get(block, ()))
            self._judge(message, calls_of_step)

    def _judge(self, step: ServerStep, calls: list[tuple[int, int]]) -> None:
        search = self._searches.setdefault(step.run, _Search())
        if calls:
            import numpy as np  # not at the top: a help page needs none

            due, took = np.array(calls, dtype=np.int64).T
            tried = judge(step, due, took, self._objective)
            search.learn(step.rate_per_s, tried.served_per_s, bool(tried.is_kept))
            if step.rate_per_s is None and self._settings.runtime != VIRTUAL:
                self._tell(step.run, self._forecast(search))
        rate = search.next_rate() if calls else None
        if rate is None:
            self._enough(step.run)
        else:
            self._try_rate(step.run, rate)

    def _forecast(self, search: _Search) -> str:
        calls, least_s = self._settings.min_iterations, self._settings.min_duration_s
        kept, missed = (list(search.to_come(is_kept)) for is_kept in (True, False))
        shortest, longest = (
            format_about_seconds(sum(max(calls / rate, least_s) for rate in rates))
            for rates in (kept, missed)
        )
        rates_text = f"{len(kept)} more rates of at least {calls} calls"
        return (
            f"it does {format_rate(search.most)} at most; {rates_text} take about {shortest} to {longest},"
            f" the longer the lower the rate that keeps {self._settings.slo}"
        )


@dataclass
class _Search:
    """What is known of one run: its rate when always busy, and between what the goodput lies (1/s)."""

    most: float = 0.0
    low: float = 0.0
    high: float = 0.0

    def learn(self, rate_per_s: float | None, served_per_s: float, is_kept: bool) -> None:
        """Learn of one try; the first has no rate and tells what is possible at all."""
        if rate_per_s is None:
            self.most = self.high = served_per_s
        elif is_kept:
            self.low = rate_per_s
        else:
            self.high = rate_per_s

    def next_rate(self) -> float | None:
        """Return the rate to try next; None where enough is known."""
        if self.high - self.low <= RESOLUTION * self.most:
            return None
        return float(f"{(self.low + self.high) / 2:.4g}")

    def to_come(self, is_kept: bool) -> Iterator[float]:
        """Yield the rates that follow where all of them keep the objective, or none does."""
        search = replace(self)
        while (rate := search.next_rate()) is not None:
            yield rate
            search.learn(rate, rate, is_kept)
