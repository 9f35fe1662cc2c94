"""Latencies in fixed buckets, so that boards, models and nights can be laid over each other."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

#: Upper bounds in seconds: 1, 2, 5 from 0.1 ms to 10 s. What is slower is in the last bucket, +Inf.
BOUNDS_S = (
    *(0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05),
    *(0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0),
)
_BOUNDS_NS = tuple(round(bound * 1e9) for bound in BOUNDS_S)
_LABELS = (*(repr(bound) for bound in BOUNDS_S), "+Inf")


def cumulative_buckets(durations_ns: Sequence[int]) -> list[tuple[str, float]]:
    """Return (upper bound in seconds, how many latencies are not above it) for every bucket."""
    counts = [0] * len(_LABELS)
    for duration in durations_ns:
        counts[bisect_left(_BOUNDS_NS, duration)] += 1
    return [(label, float(count)) for label, count in zip(_LABELS, accumulate(counts), strict=True)]
