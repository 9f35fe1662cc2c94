"""How long all runs of a push take yet: foretold before anything is known, then from how fast they go on."""

from __future__ import annotations

from rkbench_agent.wire.messages import Failed, Finished, Message, Progress
from rkbench_agent.wire.plan import Plan
from rkbench_agent.wire.words import AT_MOST, INFERENCE, SINGLE_STREAM

from rkbench.results.events import Outlook

#: Of all inferences so many must be done before their pace tells more than what was foretold.
TELLING = 0.05


class PlanOutlook:
    """Folds the messages of a plan, each with when it came, in seconds of any clock that goes on."""

    def __init__(self, plan: Plan, start_s: float) -> None:
        settings = plan.settings
        self._shares = dict.fromkeys((spec.run for spec in plan.runs), 0.0)
        self._in_turns = settings.interleave and len(plan.runs) > 1 and settings.scenario == SINGLE_STREAM
        self._start_s = start_s
        #: From when on the inferences are counted, and how many were done then. Runs that take turns are all
        #: loaded and looked at before; others are each before their own.
        self._from: tuple[float, float] | None = None if self._in_turns else (start_s, 0.0)
        self._foretold_s: float | None = None
        self._at_most = False

    def expect(self, total_s: float) -> None:
        """Take what all runs are foretold to take."""
        self._foretold_s = total_s

    def take(self, message: Message, now_s: float) -> Outlook | None:
        """Take a message; returns how long the rest takes where it tells, and anything is known."""
        if isinstance(message, (Finished, Failed)) and message.run in self._shares:
            self._shares[message.run] = 1.0
        elif isinstance(message, Progress) and message.run in self._shares:
            if message.stage == INFERENCE and message.total > 0:
                self._shares[message.run] = min(1.0, message.done / message.total)
                self._at_most = self._at_most or message.unit.endswith(AT_MOST)
        else:
            return None
        left_s = self._left_s(now_s)
        return None if left_s is None else Outlook(left_s, self._at_most)

    def _left_s(self, now_s: float) -> float | None:
        share = sum(self._shares.values()) / max(1, len(self._shares))
        if self._from is None and share > 0:
            self._from = now_s, share
        begun_s, begun = self._from or (now_s, share)
        if share - begun >= TELLING:
            return (now_s - begun_s) * (1 - share) / (share - begun)
        if self._foretold_s is None:
            return None
        return max(0.0, self._foretold_s - (now_s - self._start_s))
