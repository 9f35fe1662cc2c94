"""Summaries of raw durations. Percentiles interpolate linearly between the two nearest ranks
(Hyndman and Fan 1996, definition 7: the default of numpy and of spreadsheets)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Summary:
    """Count, extremes and mean, in the unit of the values; `stddev` (n - 1) is None below two values."""

    count: int
    min: float
    mean: float
    max: float
    stddev: float | None


def summarize(values: Sequence[float] | NDArray[Any]) -> Summary | None:
    """Return the summary of `values`, or None where there are none."""
    import numpy as np  # not at the top: a help page and an inspection need none

    array = np.asarray(values, dtype=np.float64)
    if not len(array):
        return None
    return Summary(
        count=len(array),
        min=float(array.min()),
        mean=float(array.mean()),
        max=float(array.max()),
        stddev=float(array.std(ddof=1)) if len(array) > 1 else None,
    )


def percentile(ordered: Sequence[float] | NDArray[Any], percent: float) -> float:
    """Return the `percent`-th percentile of ascending, non-empty `ordered`, linearly interpolated."""
    position = (len(ordered) - 1) * percent / 100
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return float(ordered[low] + (ordered[high] - ordered[low]) * (position - low))


def median(values: Sequence[float]) -> float:
    """Return the median of non-empty `values`."""
    return percentile(sorted(values), 50)


def median_bounds(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the bounds of the median with at least 95 %, of any distribution; None of fewer than six values.

    The k-th value from either end, with the largest k for which 2 P(Binomial(n, 1/2) < k) <= 0.05 (the sign
    test turned round: Conover, Practical Nonparametric Statistics, 3rd ed., 3.2).
    """
    ordered, count, below, depth = sorted(values), len(values), 0, 0
    while 40 * (below + math.comb(count, depth)) <= 2**count:
        below += math.comb(count, depth)
        depth += 1
    return (ordered[depth - 1], ordered[-depth]) if depth else None


def difference_percent(baseline: float | None, candidate: float | None) -> float | None:
    """Return by how many percent `candidate` is above `baseline`; None where unknown or undefined."""
    if baseline is None or candidate is None or math.isinf(baseline) or math.isinf(candidate):
        return None
    if baseline == 0:
        return 0.0 if candidate == 0 else None
    return (candidate - baseline) / abs(baseline) * 100
