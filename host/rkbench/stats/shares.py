"""Two tails compared by shares: how many calls of each variant are slower than the p99 of both together.

Quantiles of tails scatter far more than shares above a fixed value, and their ratio has no usable
interval where blocks differ. The threshold is that of both variants' calls pooled; each quad yields one
difference of shares, averaged over the quads of a load where there are several loads. Their interval is
Student's: shares of few calls have many ties, under which signed ranks say nothing (x1.2 to x1.5 in 2 % of
1,200 calls is found in 84 of 100 by ranks, in 93 by t).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rkbench.stats.paired import Quad
from rkbench.stats.summary import percentile

#: Fewer do not show how much the shares of loads or quads differ.
FEWEST_UNITS = 6


@dataclass(frozen=True)
class TailDifference:
    """Shares (0..1) of each variant's calls above `threshold`, which is in the unit of the values.

    `low` and `high` bound B's share minus A's; None where loads or quads are too few. The tails
    `differ` where the bounds exclude 0.
    """

    percent: float
    threshold: float
    share_a: float
    share_b: float
    low: float | None
    high: float | None

    @property
    def differ(self) -> bool:
        """Whether one tail is heavier beyond chance."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def tail_difference(loads: Sequence[Sequence[Quad]], percent: float, confidence: float) -> TailDifference:
    """Compare the calls of one or more quads, given load by load, above their pooled percentile (0..100)."""
    quads = [quad for load in loads for quad in load]
    threshold = percentile(sorted(value for quad in quads for block in quad for value in block), percent)
    by_load = [[_shares(quad, threshold) for quad in load] for load in loads if load]
    differences = [[b - a for a, b in load] for load in by_load]
    units = differences[0] if len(differences) == 1 else [math.fsum(load) / len(load) for load in differences]
    low, high = _bounds(units, confidence)
    calls = [[value for quad in quads for at in places for value in quad[at]] for places in (_A, _B)]
    share_a, share_b = (_share(values, threshold) for values in calls)
    return TailDifference(percent, threshold, share_a, share_b, low, high)


#: Where the blocks of each variant stand in a quad.
_A, _B = (0, 3), (1, 2)


def _shares(quad: Quad, threshold: float) -> tuple[float, float]:
    a1, b1, b2, a2 = quad
    return _share((*a1, *a2), threshold), _share((*b1, *b2), threshold)


def _share(values: Sequence[float], threshold: float) -> float:
    return sum(value > threshold for value in values) / len(values)


def _bounds(differences: Sequence[float], confidence: float) -> tuple[float | None, float | None]:
    count = len(differences)
    if count < FEWEST_UNITS:
        return None, None
    from scipy.special import stdtrit  # not at the top: it costs what only a comparison needs to pay

    mean = math.fsum(differences) / count
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in differences) / (count - 1))
    half = float(stdtrit(count - 1, 1 - (1 - confidence) / 2)) * deviation / math.sqrt(count)
    return mean - half, mean + half
