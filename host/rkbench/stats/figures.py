"""A figure of a run's latencies with its bounds, and by how much two nights' figures differ.

Percentiles are bounded as `quantiles` does it, the mean by the deviation of whole clusters, loads or blocks
(the ratio of their sums to their sizes: Cochran, Sampling Techniques, 3rd ed., 6.3). Two nights were not
measured side by side: the bounds of their ratio are made of the bounds of each (MOVER: Donner and Zou 2012;
on logarithms).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from rkbench.stats.clusters import BLOCK, BUSY_PERIOD, LOAD, Clusters, Unit
from rkbench.stats.quantiles import (
    CONFIDENCE,
    FEWEST_LOADS,
    fewest_calls_of_bounds,
    fewest_units_of_bounds,
    quantiles,
)
from rkbench.stats.serial import wanders

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Without bounds, so many blocks, or loads, that all lie beyond a limit say that it is crossed. Of a median
#: at its limit they do so by chance once in 2^6. A tail is passed more easily: of a p99 at its limit a block
#: of 120 calls lies within it in 66 of 100 (binomial), and six blocks all do in 0.66^6 = 8 of 100.
UNITS_THAT_AGREE = 6
#: So many times the calls halve the bounds of a percentile.
TIMES_TO_SEE_FURTHER = 4
WANDERS = (
    "the level wanders from {0} to {0}: hold the clocks still (--pin; in a suite: pin = true),"
    " more iterations do not help"
)
#: Bounds of a queue's mean by busy periods (ratio and Student's t) miss it in 9 to 42 of 100 tries.
MEAN_OF_QUEUE = "the mean of calls that wait for others has no bounds: ask for p50, p90 or p99"
#: A mean has bounds from as many blocks on as a median has.
_MIDDLE = 50.0
#: One such call lies as far above the mean of all as makes its lower bound negative.
STALLED = "its lower bound is below 0: calls that stalled take as long as all others together"


class Statistic(Enum):
    """A figure of a run's latencies that bounds can be given for."""

    MEAN = "mean"
    P50 = "p50"
    P90 = "p90"
    P95 = "p95"
    P99 = "p99"
    P999 = "p99.9"

    @property
    def percent(self) -> float | None:
        """Which percentile it is; None for the mean."""
        return None if self is Statistic.MEAN else float(self.value[1:])


@dataclass(frozen=True)
class Reads:
    """What a run must have read at least: `calls` in `blocks`, and through `loads` where it has several."""

    calls: int
    blocks: int
    loads: int = 1

    def with_all_of(self, other: Reads) -> Reads:
        """Return what carries both."""
        return Reads(
            max(self.calls, other.calls), max(self.blocks, other.blocks), max(self.loads, other.loads)
        )


@dataclass(frozen=True)
class Estimate:
    """A figure in the unit of the calls, with bounds of 95 %; `lacks` says why there are none, `wanders`
    that it is for a level that does not hold still."""

    value: float
    low: float | None = None
    high: float | None = None
    lacks: str = ""
    wanders: bool = False


@dataclass(frozen=True)
class Interval:
    """By how many percent the candidate lies above (+) the baseline; a bound that is not known is None."""

    difference_percent: float
    low_percent: float | None
    high_percent: float | None
    lacks: str = ""


def reads_for(statistic: Statistic) -> Reads:
    """Return what a run must have read so that the figure has bounds."""
    percent = _MIDDLE if statistic.percent is None else statistic.percent
    blocks = fewest_units_of_bounds(percent, BLOCK)
    return Reads(max(blocks, fewest_calls_of_bounds(percent)), blocks, FEWEST_LOADS)


def estimate(statistic: Statistic, clusters: Clusters) -> Estimate | None:
    """Return the figure of all calls; None where they cannot carry it, or it is no time at all.

    A bound that is not above 0 bounds nothing, and is None.
    """
    percent = statistic.percent
    value, low, high = _mean(clusters) if percent is None else _percentile(percent, clusters)
    if value is None or value <= 0:
        return None
    if percent is None and clusters.unit == BUSY_PERIOD:
        return Estimate(value, lacks=MEAN_OF_QUEUE)
    if lacks := lack_of_bounds(statistic, clusters.count, len(clusters.lengths), clusters.unit):
        return Estimate(value, lacks=lacks)
    if wanders(clusters.groups if clusters.levels is None else clusters.levels):
        return Estimate(value, lacks=WANDERS.format(clusters.unit), wanders=True)
    if low is not None and low <= 0:
        return Estimate(value, None, high, STALLED)
    return Estimate(value, low, high, "" if high is not None else _beyond(clusters))


def lack_of_bounds(statistic: Statistic, calls: int, units: int, unit: Unit) -> str:
    """Return what the bounds of a figure need that so many calls in so many units are not; "" for nothing."""
    needed = reads_for(statistic)
    fewest = needed.loads if unit == LOAD else needed.blocks
    if units >= fewest and calls >= needed.calls:
        return ""
    needs = f"needs {needed.calls} iterations in {fewest} {unit}s"
    return f"the interval of {statistic.value} {needs}, not {calls} in {units}"


def _beyond(clusters: Clusters) -> str:
    """Return why a figure has no upper bound, and what may give it one."""
    advice = {
        LOAD: f": more loads see further (--loads {2 * len(clusters.lengths)})",
        BUSY_PERIOD: f": more calls see further (--iterations {TIMES_TO_SEE_FURTHER * clusters.count})",
    }
    return f"its upper bound lies beyond what was seen{advice.get(clusters.unit, '')}"


def all_units_agree(
    statistic: Statistic, clusters: Clusters, limit: float, *, strict: bool = False, wandering: bool = False
) -> int:
    """Return 1 where at least six clusters say each for itself that the figure lies above `limit`, -1 where
    all say that it does not, else 0. Busy periods never do: most are a call or two.

    What lies at a `strict` limit does not keep it. Clusters of a `wandering` level are not independent:
    they say so only from farther away than they lie apart (of AR(1) 0.99 at its limit, 12 blocks of 20 calls,
    all lie on one side in 21 of 100, and so far from it in 0.4).
    """
    import numpy as np

    groups = [np.asarray(group, dtype=np.float64) for group in clusters.groups]
    if len(groups) < UNITS_THAT_AGREE or clusters.unit == BUSY_PERIOD:
        return 0
    beyond = [_lies_beyond(statistic, group, limit, reaching=False) for group in groups]
    reaching = [_lies_beyond(statistic, group, limit, reaching=strict) for group in groups]
    agreed = 1 if all(beyond) else 0 if any(reaching) else -1
    if not (agreed and wandering):
        return agreed
    levels = _levels(statistic, clusters)
    distance = min(abs(level - limit) for level in levels)
    return agreed if distance > max(levels) - min(levels) else 0


def _lies_beyond(statistic: Statistic, group: NDArray[Any], limit: float, *, reaching: bool) -> bool:
    """Return whether a cluster's own figure lies above a limit; `reaching`: above or at it."""
    if statistic.percent is None:
        mean = float(group.mean())
        return mean >= limit if reaching else mean > limit
    above = group >= limit if reaching else group > limit
    return float(above.mean()) > 1 - statistic.percent / 100


def all_units_apart(
    statistic: Statistic, baseline: Clusters, candidate: Clusters, factor: float, *, wandering: bool = False
) -> int:
    """Return 1 where every cluster of `candidate` lies above `factor` times every one of `baseline`, -1 where
    every one lies below, else 0. `wandering`: farther than those of either night lie apart.

    Also 0 where so few would lie so by chance in more than 2.5 % (Mann and Whitney 1947: once in all
    the ways to choose them), and for tails, of which a block tells nothing.
    """
    if statistic not in (Statistic.P50, Statistic.MEAN):
        return 0
    before, now = (_levels(statistic, clusters) for clusters in (baseline, candidate))
    if math.comb(len(before) + len(now), len(now)) < 2 / (1 - CONFIDENCE):
        return 0
    apart = max(max(now) - min(now), factor * (max(before) - min(before))) if wandering else 0.0
    if min(now) - factor * max(before) > apart:
        return 1
    return -1 if factor * min(before) - max(now) > apart else 0


def _levels(statistic: Statistic, clusters: Clusters) -> list[float]:
    import numpy as np

    if statistic.percent is None:
        return [float(np.mean(group)) for group in clusters.groups]
    return [float(np.percentile(group, statistic.percent)) for group in clusters.groups]


def between_nights(baseline: Estimate, candidate: Estimate) -> Interval:
    """Return by how much the candidate's figure lies above the baseline's."""
    base, found = math.log(baseline.value), math.log(candidate.value)
    shift = found - base
    low = high = None
    if candidate.low is not None and baseline.high is not None:
        low = shift - math.hypot(found - math.log(candidate.low), math.log(baseline.high) - base)
    if candidate.high is not None and baseline.low is not None:
        high = shift + math.hypot(math.log(candidate.high) - found, base - math.log(baseline.low))
    lacks = candidate.lacks or (f"the baseline: {baseline.lacks}" if baseline.lacks else "")
    return Interval(_percent(shift), _percent(low), _percent(high), lacks)


def _percent(shift: float | None) -> Any:
    return None if shift is None else math.expm1(shift) * 100


def _percentile(percent: float, clusters: Clusters) -> tuple[float | None, float | None, float | None]:
    (found,) = quantiles(clusters, [percent])
    return found.value, found.low, found.high


def _mean(clusters: Clusters) -> tuple[float | None, float | None, float | None]:
    import numpy as np
    from scipy.special import stdtrit

    groups = clusters.groups
    if not groups:
        return None, None, None
    first = float(clusters.values[0])
    if len(groups) > 1 and (clusters.values == first).all():  # sums would round it off, and off its limit
        return first, first, first
    sums, sizes = np.array([np.sum(group) for group in groups]), np.array([len(group) for group in groups])
    mean, count = float(sums.sum() / sizes.sum()), len(groups)
    if count < 2:
        return mean, None, None
    scatter = float(((sums - mean * sizes) ** 2).sum()) * count / (count - 1)
    half = float(stdtrit(count - 1, 1 - (1 - CONFIDENCE) / 2)) * math.sqrt(scatter) / float(sizes.sum())
    return mean, mean - half, mean + half
