"""Which rate a server shall be tried with next: bisection between what surely keeps the limit and the rest.

What so many calls cannot tell counts as not kept: the goodput is a rate that can be relied upon.
"""

from __future__ import annotations

from collections.abc import Callable

from rkbench_agent.wire.messages import Latencies, Message
from rkbench_agent.wire.plan import RunSettings
from rkbench_agent.wire.scenario_messages import ServerStep

from rkbench.campaign.interfaces import Conversation
from rkbench.campaign.stopping import Stop, Stopping
from rkbench.runs.server import Objective, judge, parse_slo

#: The goodput is known to this part of what the contexts can do at all.
RESOLUTION = 0.03
MOST_TRIES = 12


def hearer_of(settings: RunSettings, session: Conversation, stop: Stop) -> Stopping | RateSearch:
    """Return what hears a push's stream, to tell the agent what is enough or what to do next."""
    if settings.find_rate:
        return RateSearch(parse_slo(settings.slo), session.try_rate, session.enough)
    return Stopping(stop, session.enough)


class RateSearch:
    """Hears the messages of a push, and after each try of a run asks for its next rate, or says enough.

    What the contexts do when they are always busy bounds the rate: no queue keeps any limit there.
    """

    def __init__(
        self, objective: Objective, try_rate: Callable[[str, float], None], enough: Callable[[str], None]
    ) -> None:
        self._objective = objective
        self._try_rate = try_rate
        self._enough = enough
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
        rate = search.next_rate() if calls else None
        if rate is None:
            self._enough(step.run)
        else:
            self._try_rate(step.run, rate)


class _Search:
    def __init__(self) -> None:
        self._most = self._low = self._high = 0.0
        self._tries = 0

    def learn(self, rate_per_s: float | None, served_per_s: float, is_kept: bool) -> None:
        """Learn of one try; the first has no rate and tells what is possible at all."""
        if rate_per_s is None:
            self._most = self._high = served_per_s
        elif is_kept:
            self._low = rate_per_s
        else:
            self._high = rate_per_s
        self._tries += 1

    def next_rate(self) -> float | None:
        """Return the rate to try next; None where enough is known."""
        if self._high - self._low <= RESOLUTION * self._most or self._tries > MOST_TRIES:
            return None
        return float(f"{(self._low + self._high) / 2:.4g}")
