"""Percentiles of a run's calls, each with bounds that hold although the calls of a block, or load, are alike.

The bounds invert the share of calls at or below a value (Woodruff 1952) with loads or blocks as clusters; the
number of calls is made smaller by the design effect, and the share's interval is Clopper and Pearson's
with that effective number (Korn and Graubard 1998). Of busy periods few are long, which no such number
tells: see `excursions`. A percentile that the count cannot carry is None: the
counts are LoadGen's (MLPerf, early stopping at 99 %), under which its estimate would be refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from rkbench.stats.clusters import BUSY_PERIOD, LOAD, Clusters, Unit
from rkbench.stats.excursions import excursion_bounds
from rkbench.stats.summary import percentile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: What a run's latencies are summarised by.
PERCENTS = (50.0, 90.0, 95.0, 99.0, 99.9)
CONFIDENCE = 0.95
#: Blocks that an interval needs: fewer do not show how much blocks differ.
FEWEST_BLOCKS = 12
FEWEST_BLOCKS_OF_TAIL = 20
#: Loads that an interval needs, of any percentile: at 2 % from load to load it covers a p90 in 91 of 100 from
#: six on, and is without an upper bound in one of eight with five.
FEWEST_LOADS = 6
#: From here on a percentile is of the tail, whose interval needs more.
TAIL_PERCENT = 99.0
FEWEST_CALLS_OF_TAIL = 1000
#: LoadGen's confidence that at most 1 - p of the calls are slower than what it reports.
EARLY_STOPPING_CONFIDENCE = 0.99


@dataclass(frozen=True)
class Quantile:
    """One percentile, in the unit of the values.

    `value` is None below `needed` calls; `low` and `high` bound the true percentile with 95 %, None where
    the loads, blocks or calls are too few to say, or the bound lies beyond what was seen. The bounds are
    those of `effective` independent calls, None where they come from no such number.
    """

    percent: float
    value: float | None
    low: float | None
    high: float | None
    count: int
    needed: int
    effective: float | None = None


def quantiles(clusters: Clusters, percents: Sequence[float] = PERCENTS) -> list[Quantile]:
    """Return the percentiles of all calls, with intervals."""
    if not clusters.count:
        return [Quantile(percent, None, None, None, 0, calls_for(percent)) for percent in percents]
    calls = _Calls(clusters.values, clusters.lengths)
    return [_quantile(percent, calls, clusters.unit) for percent in percents]


def fewest_calls_of_bounds(percent: float) -> int:
    """Return how many calls the bounds of a percentile need."""
    return max(calls_for(percent), FEWEST_CALLS_OF_TAIL if percent >= TAIL_PERCENT else 1)


def fewest_units_of_bounds(percent: float, unit: Unit) -> int:
    """Return how many blocks, or loads, the bounds of a percentile need."""
    if unit == LOAD:
        return FEWEST_LOADS
    return FEWEST_BLOCKS_OF_TAIL if percent >= TAIL_PERCENT else FEWEST_BLOCKS


@cache
def calls_for(percent: float) -> int:
    """Return the fewest calls whose percentile LoadGen reports: 64 for p90, 662 for p99, 6,636 for p99.9.

    The smallest n of which at least one may be overlooked: P(Binomial(n, 1 - p) <= 1) <= 1 - 0.99. The
    median and all below 90 % need no such proof: 1.
    """
    if percent < 90:
        return 1
    share = 1 - percent / 100
    count = 2
    while _at_most_one(count, share) > 1 - EARLY_STOPPING_CONFIDENCE:
        count += max(1, count // 4096)
    return count


def _at_most_one(count: int, share: float) -> float:
    return math.exp(count * math.log1p(-share)) + count * share * math.exp((count - 1) * math.log1p(-share))


class _Calls:
    """All calls in ascending order, and of which cluster each is."""

    def __init__(self, values: NDArray[Any], lengths: NDArray[np.int64]) -> None:
        import numpy as np

        order = np.argsort(values, kind="stable")
        self.lengths = lengths
        self.ordered = values[order]
        self._clusters = np.repeat(np.arange(len(lengths)), lengths)[order]

    def shares_up_to(self, value: float) -> NDArray[np.float64]:
        """Return for each cluster the share of its calls at or below `value`."""
        return (self.lengths - self.counts_above(value)) / self.lengths

    def counts_above(self, value: float) -> NDArray[np.int64]:
        """Return for each cluster how many of its calls lie above `value`."""
        import numpy as np

        above = self._clusters[np.searchsorted(self.ordered, value, side="right") :]
        return np.bincount(above, minlength=len(self.lengths))


def _quantile(percent: float, calls: _Calls, unit: Unit) -> Quantile:
    count, needed = len(calls.ordered), calls_for(percent)
    if count < needed:
        return Quantile(percent, None, None, None, count, needed)
    value = percentile(calls.ordered, percent)
    if len(calls.lengths) < fewest_units_of_bounds(percent, unit) or count < fewest_calls_of_bounds(percent):
        return Quantile(percent, value, None, None, count, needed)
    if unit == BUSY_PERIOD:
        low, high = excursion_bounds(1 - percent / 100, value, calls.ordered, calls.counts_above, CONFIDENCE)
        return Quantile(percent, value, low, high, count, needed)
    effective = _effective_count(percent / 100, value, calls)
    low, high = _bounds(percent / 100, effective, calls.ordered)
    return Quantile(percent, value, low, high, count, needed, effective)


def _bounds(share: float, effective: float, ordered: NDArray[Any]) -> tuple[float, float | None]:
    from scipy.special import betaincinv

    count, tail, hits = len(ordered), (1 - CONFIDENCE) / 2, share * effective
    low_share = float(betaincinv(hits, effective - hits + 1, tail))
    high_share = float(betaincinv(hits + 1, effective - hits, 1 - tail))
    low = float(ordered[max(0, math.floor(low_share * count) - 1)])
    at = math.ceil(high_share * (count + 1)) - 1
    return low, float(ordered[at]) if at < count else None


def _effective_count(share: float, value: float, calls: _Calls) -> float:
    """Return how many independent calls the clusters are worth (Korn and Graubard 1998)."""
    from scipy.special import ndtri, stdtrit

    clusters, count = len(calls.lengths), len(calls.ordered)
    alone = share * (1 - share) / count
    between = float(calls.shares_up_to(value).var(ddof=1)) / clusters
    tail = 1 - (1 - CONFIDENCE) / 2
    return count / max(1.0, between / alone) * float(ndtri(tail) / stdtrit(clusters - 1, tail)) ** 2
