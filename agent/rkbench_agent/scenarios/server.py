"""Calls that arrive at random, at a rate of their own: a Poisson process, seeded.

A latency runs from when a call was due to when it was done, however late a context took it: what a queue adds
counts, which a loop that waits for each answer never sees (coordinated omission).
"""

from __future__ import annotations

import random
from typing import List, Sequence

from rkbench_agent.runtimes.base import Runtime
from rkbench_agent.runtimes.lanes import Arrivals, Engine, Lane
from rkbench_agent.scenarios.base import Beat

#: Between the last word before a step and its first arrival.
LEAD_NS = 1_000_000


def arrivals_ns(rate_per_s: float, count: int, seed: int, start_ns: int) -> List[int]:
    """Return when `count` calls are due; equal seeds give equal patterns, whatever the rate."""
    gaps = random.Random(seed)
    due_s, found = 0.0, []
    for _ in range(count):
        due_s += gaps.expovariate(1.0) / rate_per_s
        found.append(start_ns + int(due_s * 1e9))
    return found


def serve(
    contexts: Sequence[Runtime], engine: Engine, rate_per_s: float, count: int, seed: int, *, beat: Beat
) -> List[Lane]:
    """Let `count` calls arrive, each for the first context that is free; returns what each context did.

    Raises RuntimeFailureError with what ended the first context that failed.
    """
    lanes = [Lane(context) for context in contexts]
    start_ns = max(context.clock_ns() for context in contexts) + LEAD_NS
    engine.run(lanes, Arrivals(arrivals_ns(rate_per_s, count, seed, start_ns)), beat)
    return lanes
