"""Latencies in buckets, so that boards, models and nights can be laid over each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

#: A bucket ends at most this share above where it begins; so far can `histogram_quantile` be off at most.
WIDEST_STEP = 0.1
#: Significant digits of a bound.
_DIGITS = 3


def _steps(low: float, high: float) -> list[float]:
    """Return the bounds from `low` until just before `high`, each at most WIDEST_STEP above the last."""
    # A hair more steps than needed: rounding to three digits makes some of them wider.
    count = math.ceil(math.log(high / low) / math.log1p(WIDEST_STEP * 0.98))
    return [low * (high / low) ** (step / count) for step in range(count)]


def _bounds() -> tuple[list[float], frozenset[float]]:
    """Return all bounds in seconds, from 0.1 ms to 10 s, and those of them that every result has."""
    coarse = [float(f"{digit}e{power}") for power in range(-4, 1) for digit in (1, 2, 5)] + [10.0]
    fine = [bound for low, high in pairwise(coarse) for bound in _steps(low, high)]
    rounded = [float(f"{bound:.{_DIGITS}g}") for bound in fine]
    return [*rounded, coarse[-1]], frozenset(coarse)


BOUNDS_S, COARSE_S = _bounds()
_BOUNDS_NS = np.array([round(bound * 1e9) for bound in BOUNDS_S])
#: Whose latencies are told as exemplars: the median, the 99th percentile and the slowest.
_EXEMPLARS = (0.5, 0.99, 1.0)


@dataclass(frozen=True)
class Bucket:
    """How many latencies are not above a bound, and one of those that lie between it and the bound before."""

    bound: str
    count: float
    example_s: float | None = None


def cumulative_buckets(durations_ns: Sequence[int]) -> list[Bucket]:
    """Return the buckets at 1, 2, 5 of every decade, and between them all that the latencies reach.

    So a run has a bucket more for each tenth that its slowest lies above its fastest, all in all at most
    132, and the coarse ones can be summed over runs.
    """
    ordered = np.sort(np.asarray(durations_ns, dtype=np.int64))
    counts = np.searchsorted(ordered, _BOUNDS_NS, side="right")
    homes = np.searchsorted(_BOUNDS_NS, ordered, side="left")
    # The first bucket begins at the bound just below the fastest, the last ends at the one above the slowest.
    first, last = (int(homes[0]) - 1, int(homes[-1])) if len(ordered) else (0, -1)
    ranks = [math.ceil(share * len(ordered)) - 1 for share in _EXEMPLARS] if len(ordered) else []
    examples = {int(homes[rank]): float(ordered[rank]) / 1e9 for rank in ranks}
    buckets = [
        Bucket(repr(bound), float(counts[index]), examples.get(index))
        for index, bound in enumerate(BOUNDS_S)
        if bound in COARSE_S or first <= index <= last
    ]
    return [*buckets, Bucket("+Inf", float(len(ordered)), examples.get(len(BOUNDS_S)))]
