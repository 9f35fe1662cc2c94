"""Summaries of raw durations. Percentiles interpolate linearly between the two nearest ranks
(Hyndman and Fan 1996, definition 7: the default of numpy and of spreadsheets)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

#: Below this many values the 99th percentile is an extreme, not a percentile.
P99_MINIMUM_COUNT = 100


@dataclass(frozen=True)
class Summary:
    """Count, extremes, mean and percentiles, in the unit of the values.

    `p99` is None below 100 values; `stddev` (of the sample, n - 1) is None below two.
    """

    count: int
    min: float
    mean: float
    p50: float
    p90: float
    p99: float | None
    max: float
    stddev: float | None


def summarize(values: Sequence[float]) -> Summary | None:
    """Return the summary of `values`, or None where there are none."""
    if not values:
        return None
    ordered = sorted(values)
    count = len(ordered)
    mean = math.fsum(ordered) / count
    return Summary(
        count=count,
        min=ordered[0],
        mean=mean,
        p50=percentile(ordered, 50),
        p90=percentile(ordered, 90),
        p99=percentile(ordered, 99) if count >= P99_MINIMUM_COUNT else None,
        max=ordered[-1],
        stddev=_stddev(ordered, mean),
    )


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return the `percent`-th percentile of ascending, non-empty `ordered`, linearly interpolated."""
    position = (len(ordered) - 1) * percent / 100
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


def median(values: Sequence[float]) -> float:
    """Return the median of non-empty `values`."""
    return percentile(sorted(values), 50)


def _stddev(values: Sequence[float], mean: float) -> float | None:
    if len(values) < 2:
        return None
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
