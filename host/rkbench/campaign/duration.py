"""How long a push will measure: said before it starts where it is known, else with its first calls."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rkbench_agent.wire.messages import Latencies, LoadMemory, Message
from rkbench_agent.wire.plan import Plan, RunSettings, read_iterations
from rkbench_agent.wire.words import MODEL_READ, RUNTIME_INITIALISED, SINGLE_STREAM

from rkbench.campaign.outlook import PlanOutlook
from rkbench.results.events import Listener, Step
from rkbench.stats.paired import FEWEST_LOADS, quads_for
from rkbench.units import format_about_seconds

#: A worker's start, beside its model: Python and numpy from a card.
START_S = 0.7


@dataclass(frozen=True)
class Cost:
    """What a variant takes: one call, and loading it once, in seconds."""

    call_s: float
    load_s: float


Known = Callable[[str], "Cost | None"]


def unknown(digest: str) -> Cost | None:
    """Say that nobody knows the cost of any model."""
    del digest
    return None


def estimate_s(settings: RunSettings, costs: Sequence[Cost], *, virtual: bool = False) -> float:
    """Return about how many seconds all runs of a plan are measured, loads included.

    On a virtual board calls and loads take no time, only the starts of workers do.
    """
    in_turns = settings.interleave and len(costs) > 1
    loads = (settings.loads or 1) if in_turns else 0
    starts_s = START_S * len(costs) * (1 + loads)
    if virtual:
        return starts_s
    load_s = sum((1 + loads) * cost.load_s for cost in costs)
    return starts_s + load_s + sum(_calls_s(settings, cost, in_turns, loads) for cost in costs)


def _calls_s(settings: RunSettings, cost: Cost, in_turns: bool, loads: int) -> float:
    read = read_iterations(settings, cost.call_s * 1e9)
    rounds = 2 * loads * (settings.quads or 1) if in_turns else 0
    by_count = math.ceil(settings.min_iterations / read)
    by_time = math.ceil(settings.min_duration_s / max(1e-9, read * cost.call_s))
    blocks = max(settings.min_blocks, rounds, by_count, by_time)
    unread = settings.unread_iterations if in_turns else 0
    calls = blocks * (read + unread) + settings.warmup_iterations * (1 + loads)
    limit_s = settings.max_duration_s or math.inf
    return min(calls * cost.call_s, limit_s)


_LOADING = (MODEL_READ, RUNTIME_INITIALISED)


class Forecast:
    """Says how long a push measures: as it begins, where all costs are known, else with the first calls.

    Other scenarios say it themselves: what a call takes alone is not what it takes there.

    `known` returns the cost of a model by its digest, None where nobody knows.
    """

    def __init__(
        self,
        plan: Plan,
        known: Known,
        listener: Listener,
        *,
        virtual: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plan = plan
        self._known = known
        self._listener = listener
        self._virtual = virtual
        self._clock = clock
        self._outlook = PlanOutlook(plan, clock())
        self._load_s: dict[str, float] = {}
        self._call_s: dict[str, float] = {}
        self._is_told = plan.settings.scenario != SINGLE_STREAM
        self._together = len(plan.runs) if plan_text(plan) else 1
        self._what = ""

    def begin(self, what: str) -> None:
        """Say that `what` (3 variants) is measured, how, and for how long."""
        costs = [cost for spec in self._plan.runs if (cost := self._known(spec.model))]
        how = plan_text(self._plan)
        self._what = what
        if not self._is_told and len(costs) == len(self._plan.runs):
            how += f", {self._duration(costs)}"
            self._is_told = True
        self._listener(Step(f"measuring {what}{how}", self._together))

    def take(self, message: Message) -> None:
        """Take a message of the stream: how far the runs are, and what loads and first calls cost."""
        outlook = self._outlook.take(message, self._clock())
        if outlook is not None:
            self._listener(outlook)
        if self._is_told:
            return
        if isinstance(message, LoadMemory) and message.phase in _LOADING and message.load == 0:
            load_s = (message.duration_ns or 0) / 1e9
            self._load_s[message.run] = self._load_s.get(message.run, 0.0) + load_s
        elif isinstance(message, Latencies) and message.duration_ns:
            mean_s = sum(message.duration_ns) / len(message.duration_ns) / 1e9
            self._call_s.setdefault(message.run, mean_s)
            self._tell()

    def _tell(self) -> None:
        runs = [spec.run for spec in self._plan.runs]
        if all(run in self._call_s for run in runs):
            self._is_told = True
            costs = [Cost(self._call_s[run], self._load_s.get(run, 0.0)) for run in runs]
            self._listener(Step(f"measuring {self._what}, {self._duration(costs)} in all", self._together))

    def _duration(self, costs: Sequence[Cost]) -> str:
        settings = self._plan.settings
        grows = settings.precision_percent is not None
        if grows:  # nobody knows how far; not before this
            loads = min(settings.loads or 1, FEWEST_LOADS)
            settings = replace(settings, loads=loads, quads=quads_for(loads))
        total_s = estimate_s(settings, costs, virtual=self._virtual)
        self._outlook.expect(total_s)
        return f"{'at least ' if grows else ''}about {format_about_seconds(total_s)}"


def plan_text(plan: Plan) -> str:
    """Return how the runs of a plan take turns: 7 loads of 2 quads, or until when; "" where they do not."""
    settings = plan.settings
    if not settings.interleave or len(plan.runs) < 2 or settings.scenario != SINGLE_STREAM:
        return ""
    if settings.precision_percent is not None:
        return f" until differences are known to ±{settings.precision_percent:g} %"
    loads, quads = settings.loads or 1, settings.quads or 1
    return f": {loads} load{'s' * (loads > 1)} of {quads} quad{'s' * (quads > 1)}"
