"""Does a series rise? The median of all pairwise slopes (Theil 1950, Sen 1968) with its 95 % interval.

Single jumps and outliers, which an allocator has, move it little. The interval is Sen's: the order
statistics of the pairwise slopes that Kendall's S leaves, by its normal approximation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from rkbench.stats.summary import median

SlopeJudgement = Literal["rises", "no rise", "too few values"]
RISES: Final = "rises"
NO_RISE: Final = "no rise"
TOO_FEW: Final = "too few values"

#: How it is found, stated in the result.
METHOD = "Theil-Sen slope, Sen's interval of 95 %"
LEAK_METHOD = f"{METHOD}, over the second half"
MINIMUM_COUNT = 8
#: Memory that does not come back is lost in pages; less from one step to the next is no leak.
PAGE_BYTES = 4096
#: The normal quantile of a two-sided 95 %.
_QUANTILE = 1.959963984540054


@dataclass(frozen=True)
class Slope:
    """By how much a value grows from one step to the next; all None where there are too few values."""

    judgement: SlopeJudgement
    per_step: float | None
    low: float | None
    high: float | None
    method: str = METHOD


def find_slope(values: Sequence[float], fewest: int = MINIMUM_COUNT, quantile: float = _QUANTILE) -> Slope:
    """Return the slope of `values`, one a step, of `fewest` or more.

    It rises where the whole interval is above zero; `quantile` is the normal one of that, 1.96 for 95 %.
    """
    count = len(values)
    if count < fewest:
        return Slope(TOO_FEW, None, None, None)
    slopes = sorted(
        (values[later] - values[earlier]) / (later - earlier)
        for earlier in range(count)
        for later in range(earlier + 1, count)
    )
    spread = quantile * math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    low = _at_rank(slopes, (len(slopes) - spread) / 2)
    high = _at_rank(slopes, (len(slopes) + spread) / 2 + 1)
    return Slope(RISES if low > 0 else NO_RISE, median(slopes), low, high)


def find_leak(values: Sequence[float]) -> Slope:
    """Return the slope of the second half of `values` (bytes), which rises by a page a step or more, or not.

    It does where its whole interval is a page or more.

    The first half is where caches fill and an allocator settles. Too few are
    fewer than MINIMUM_COUNT in all.
    """
    if len(values) < MINIMUM_COUNT:
        return Slope(TOO_FEW, None, None, None)
    slope = find_slope(values[len(values) // 2 :], fewest=MINIMUM_COUNT // 2)
    too_little = slope.low is not None and slope.low < PAGE_BYTES
    return replace(slope, judgement=NO_RISE if too_little else slope.judgement, method=LEAK_METHOD)


def _at_rank(ordered: Sequence[float], rank: float) -> float:
    """Return the value at a rank that counts from 1, linearly between the two next to it."""
    position = min(max(rank - 1, 0.0), len(ordered) - 1.0)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)
