"""The scenario `server` against theory: its p99 over replications, and the interval that one try has.

Every service takes 1 ms; arrivals are a Poisson process.
"""

from __future__ import annotations

import heapq
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from caveat_claims import RUN, Row
from claim import Claim, Source
from rkbench.results.caveats import caveats_of
from rkbench.results.latencies import RawLatencies
from rkbench.results.server import Objective, Server, ServerTry, judge
from rkbench_agent.wire.scenario_messages import ServerStep

sys.path.append(str(Path(__file__).parents[1] / "agent"))

from queue_theory import (  # the path must be set first
    REPLICATIONS,
    SERVICE_NS,
    replicated_p99_ns,
    theory_ns,
    theory_p99_ns,
)

CALLS = 20_000
LOADS = (0.5, 0.7, 0.9)
#: What one try is judged at: load, calls, percentile, contexts.
TRIED = (
    *((load, calls, 99.0, 1) for load in (0.3, 0.5, 0.7, 0.8, 0.9) for calls in (1000, 4000)),
    *((load, 1000, 90.0, 1) for load in (0.5, 0.8, 0.9)),
    (0.5, 1000, 50.0, 1),
    *((load, 4000, 99.0, 3) for load in (0.5, 0.7)),
)
#: Where a try has to know how far up a percentile may lie, and in what share of tries at least: without an
#: upper bound an interval covers whatever lies above.
BOUNDED = {
    (0.1, 1000, 99.0): 0.75,
    (0.3, 4000, 99.0): 0.95,
    (0.5, 4000, 99.0): 0.6,
    (0.5, 1000, 90.0): 0.9,
    (0.7, 4000, 90.0): 0.9,
}
#: A truth of several contexts is that of so many calls: p99 to 1 %.
TRUE_CALLS = 400_000


def server_rows(load: float, calls: int = CALLS) -> list[Row]:
    """Return what was reached at a load, and whether that keeps its bound."""
    mean_ns, half_ns = replicated_p99_ns(load, calls)
    off = abs(mean_ns - theory_p99_ns(load)) / half_ns
    name = f"server at load {load:g}: p99 against M/D/1, in half-widths of {REPLICATIONS} replications"
    return [(name, "<= 1", off, off <= 1)]


def arrived(source: Source, load: float, calls: int, contexts: int = 1) -> list[tuple[int, int]]:
    """Return when each call was due and how long it took from there (ns); `load` is of all contexts."""
    due = np.cumsum(source.exponential(1 / (load * contexts), calls))
    free = [0.0] * contexts
    found = []
    for at in due:
        done = max(heapq.heappop(free), at) + 1
        heapq.heappush(free, done)
        found.append((round(at * SERVICE_NS), round((done - at) * SERVICE_NS)))
    return found


def tried(source: Source, load: float, calls: int, percent: float, contexts: int) -> ServerTry:
    """Return one try as the host judges it, against an objective that is the truth."""
    step = ServerStep("r", load * contexts * 1e9 / SERVICE_NS, list(range(contexts)))
    due, took = np.array(arrived(source, load, calls, contexts)).T
    return judge(step, due, took, Objective(percent, true_s(load, percent, contexts)))


@cache
def true_s(load: float, percent: float, contexts: int) -> float:
    """Return the true percentile, in seconds."""
    if contexts == 1:
        return theory_ns(load, percent) / 1e9
    long_run = arrived(np.random.default_rng(0), load, TRUE_CALLS, contexts)
    return float(np.percentile([duration for _, duration in long_run], percent)) / 1e9


def _covers(load: float, calls: int, percent: float, contexts: int) -> Claim:
    def holds(source: Source) -> bool:
        found, truth = tried(source, load, calls, percent, contexts), true_s(load, percent, contexts)
        low_s, high_s = found.objective_low_s, found.objective_high_s
        return low_s is not None and low_s <= truth and (high_s is None or truth <= high_s)

    of = f"{contexts} contexts at load {load:g}" if contexts > 1 else f"load {load:g}"
    name = f"server, {of}, {calls:,} calls: interval of its p{percent:g} covers"
    return Claim(name, holds, None, 0.93, cost=calls / 2000)


def _is_bounded(load: float, calls: int, percent: float, share: float) -> Claim:
    def knows(source: Source) -> bool:
        return tried(source, load, calls, percent, 1).objective_high_s is not None

    name = f"server, load {load:g}, {calls:,} calls: p{percent:g} has an upper bound"
    return Claim(name, knows, None, share, cost=calls / 2000)


#: A search of a rate serves so many, at these shares of what is served at most, each with a level of its own.
SEARCH_CALLS, SEARCHED = 1000, (0.5, 0.75, 0.625, 0.5625, 0.594, 0.609)
#: So far levels of rates lie apart where nothing changed, and so much slower a board is that throttles.
SD_OF_LEVELS, THROTTLED = 0.01, 1.1


def _levels_differ(name: str, slower: float, at_most: float | None, at_least: float | None) -> Claim:
    """Whether a search is doubted whose board is `slower` (1.1: by 10 %) from the third rate on."""

    def is_doubted(source: Source) -> bool:
        tries = []
        for place, load in enumerate(SEARCHED):
            level = float(np.exp(source.normal(0, SD_OF_LEVELS))) * (slower if place > 1 else 1)
            due, took = np.array(arrived(source, load * level, SEARCH_CALLS)).T
            scatter = np.exp(source.normal(0, 0.02, SEARCH_CALLS)) * level
            step = ServerStep("r", load * 1e9 / SERVICE_NS, [place])
            tries.append(
                judge(step, (due * level).astype(int), (took * scatter).astype(int), Objective(99, 1))
            )
        run = replace(RUN, server=Server(tuple(tries)), plan=replace(RUN.plan, contexts=(1,)))
        return any(found.code == "levels_differ" for found in caveats_of(run, RawLatencies()))

    told = f"search of {len(tuple(SEARCHED))} rates, {SEARCH_CALLS:,} calls, sd of levels 1 %"
    return Claim(f"{told}{name}: levels_differ", is_doubted, at_most, at_least, cost=3)


SERVER_CLAIMS = (
    _levels_differ("", 1.0, 0.01, None),
    _levels_differ(
        f", slower by {THROTTLED - 1:.0%} from the third on".replace("%", " %"), THROTTLED, None, 0.99
    ),
    *(_covers(*item) for item in TRIED),
    *(_is_bounded(*item, share) for item, share in BOUNDED.items()),
)
