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


@cache
def _lower_rank(count: int, confidence: float) -> int:
    """Return the largest r with P(W < r) <= (1 - confidence) / 2 where there is no shift; 0 for none.

    The interval runs from the r-th smallest Walsh average to the r-th largest.
    """
    allowed = (1 - confidence) / 2 * 2**count * (1 + 1e-12)  # confidence is a rounded decimal
    sums = [1] + [0] * (count * (count + 1) // 2)  # sums[w]: sets of ranks whose sum is w
    for rank in range(1, count + 1):
        for total in range(len(sums) - 1, rank - 1, -1):
            sums[total] += sums[total - rank]
    below = 0
    for total, ways in enumerate(sums):
        below += ways
        if below > allowed:
            return total
    return 0
