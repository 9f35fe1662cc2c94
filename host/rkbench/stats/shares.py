"""Two tails compared by shares: how many calls of each variant are slower than the p99 of both together.

Quantiles of tails scatter far more than shares above a fixed value, and their ratio has no usable
interval where blocks differ. The threshold is that of both variants' calls pooled; each quad yields one
difference of shares. Their interval is Student's: shares of few calls have many ties, under which signed
ranks say nothing (x1.2 to x1.5 in 2 % of 1,200 calls is found in 84 of 100 by ranks, in 93 by t).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rkbench.stats.paired import Quad
from rkbench.stats.summary import percentile

#: Fewer do not show how much the shares of quads differ.
FEWEST_QUADS = 6


@dataclass(frozen=True)
class TailDifference:
    """Shares (0..1) of each variant's calls above `threshold`, which is in the unit of the values.

    `low` and `high` bound B's share minus A's; None where the quads are too few. The tails `differ` where
    the bounds exclude 0.
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


def tail_difference(quads: Sequence[Quad], percent: float, confidence: float) -> TailDifference:
    """Compare the calls of one or more quads above their pooled percentile (0..100)."""
    pooled = sorted(value for quad in quads for block in quad for value in block)
    threshold = percentile(pooled, percent)
    sides = [((*a1, *a2), (*b1, *b2)) for a1, b1, b2, a2 in quads]
    shares = [(_share(a, threshold), _share(b, threshold)) for a, b in sides]
    low, high = _bounds([b - a for a, b in shares], confidence)
    calls = [[value for side in sides for value in side[which]] for which in (0, 1)]
    share_a, share_b = (_share(values, threshold) for values in calls)
    return TailDifference(percent, threshold, share_a, share_b, low, high)


def _share(values: Sequence[float], threshold: float) -> float:
    return sum(value > threshold for value in values) / len(values)


def _bounds(differences: Sequence[float], confidence: float) -> tuple[float | None, float | None]:
    count = len(differences)
    if count < FEWEST_QUADS:
        return None, None
    from scipy.special import stdtrit  # not at the top: it costs what only a comparison needs to pay

    mean = math.fsum(differences) / count
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in differences) / (count - 1))
    half = float(stdtrit(count - 1, 1 - (1 - confidence) / 2)) * deviation / math.sqrt(count)
    return mean - half, mean + half
