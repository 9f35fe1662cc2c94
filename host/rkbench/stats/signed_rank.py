"""The Hodges-Lehmann estimate of a shift, with the exact interval of Wilcoxon's signed ranks.

scipy has the test but neither the estimate nor the interval. Source: Hodges and Lehmann 1963; Hollander,
Wolfe and Chicken, Nonparametric Statistical Methods, 3rd ed., 3.2 and 3.3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from rkbench.stats.summary import percentile


@dataclass(frozen=True)
class Shift:
    """Where the middle of paired differences lies, in their unit.

    `low` and `high` bound it with the confidence that was asked for; None where so few differences
    cannot carry it (six are needed for 95 %).
    """

    estimate: float
    low: float | None
    high: float | None


def shift_of(differences: Sequence[float], confidence: float) -> Shift:
    """Return the shift of one or more `differences`; `confidence` is between 0 and 1, two-sided."""
    count = len(differences)
    averages = sorted(
        (differences[i] + differences[j]) / 2 for i in range(count) for j in range(i, count)
    )  # Walsh averages
    rank = _lower_rank(count, confidence)
    if rank == 0:
        return Shift(percentile(averages, 50), None, None)
    return Shift(percentile(averages, 50), averages[rank - 1], averages[-rank])


def fewest_differences(confidence: float) -> int:
    """Return how many differences an exact interval of `confidence` needs: 1 + log2(1 / (1 - confidence))."""
    return math.ceil(1 - math.log2(1 - confidence) - 1e-9)


def chance_of_ranks(positive: float, count: int) -> float:
    """Return how often the ranks 1 to `count` of one sign sum to `positive` or more, where signs are chance.

    Exact; of ties, whose ranks are halves, that of the next whole sum below, which is no less.
    """
    import numpy as np

    chances = np.zeros(count * (count + 1) // 2 + 1)
    chances[0] = 1.0
    for rank in range(1, count + 1):
        chances[rank:] += chances[:-rank].copy()
        chances /= 2
    return float(min(1.0, chances[math.floor(positive) :].sum()))


@cache
def _lower_rank(count: int, confidence: float) -> int:
    """Return the largest r with P(W < r) <= (1 - confidence) / 2 where there is no shift; 0 for none.

    The interval runs from the r-th smallest Walsh average to the r-th largest.
    """
    import numpy as np  # not at the top: a help page and an inspection need none

    allowed = (1 - confidence) / 2 * (1 + 1e-12)  # confidence is a rounded decimal
    chances = np.zeros(count * (count + 1) // 4 + 1)  # that the ranks of one sign sum to w, up to the middle
    chances[0] = 1.0
    for rank in range(1, count + 1):
        chances[rank:] += chances[:-rank].copy()
        chances /= 2
    return int(np.argmax(np.cumsum(chances) > allowed))
