"""Bounds of a percentile where calls wait in a queue: busy periods are independent, the calls in one are not.

What lies above a value comes in excursions, one for each busy period that reaches it: a compound Poisson sum
of as many terms as there are excursions, each as large as its calls. Its interval is the gamma interval of
Fay and Feuer (1997, Statistics in Medicine 16, 791-801), made for weighted sums of Poisson counts; the bounds
of a percentile are the values between which that interval holds the calls that may lie above. An excursion
that was not seen may be as large as the largest at the percentile itself: without that a p99 of 1,000 calls
at a load of 0.8 is held by 44 in 100 intervals, with it by all, most of which have no upper bound.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    #: How many calls of each busy period lie above a value.
    CountsAbove = Callable[[float], NDArray[np.int64]]


def excursion_bounds(
    share: float, value: float, ordered: NDArray[Any], counts_above: CountsAbove, confidence: float
) -> tuple[float, float | None]:
    """Return between what the value lies that a share (0..1) of all calls exceeds.

    `value` is its estimate, `ordered` all calls in ascending order, in the same unit. The upper bound is
    None where it lies beyond what was seen.
    """
    allowed, tail = share * len(ordered), (1 - confidence) / 2
    largest = int(counts_above(value).max()) or int(counts_above(math.nextafter(value, -math.inf)).max())
    low = _first_without(ordered, lambda x: _fewest(counts_above(x), tail) >= allowed)
    if _most(counts_above(ordered[-1]), largest, tail) > allowed:
        return low, None
    return low, _first_without(ordered, lambda x: _most(counts_above(x), largest, tail) > allowed)


def _first_without(ordered: NDArray[Any], holds: Callable[[float], bool]) -> float:
    """Return the first value for which `holds` is false, as it is for all after it; the last is one."""
    below, at = -1, len(ordered) - 1
    while at - below > 1:
        middle = (below + at) // 2
        below, at = (middle, at) if holds(float(ordered[middle])) else (below, middle)
    return float(ordered[at])


def _fewest(counts: NDArray[np.int64], tail: float) -> float:
    """Return the lower bound of the expected sum of the counts."""
    from scipy.special import gammaincinv

    total, squares = float(counts.sum()), float((counts**2).sum())
    return squares / total * float(gammaincinv(total**2 / squares, tail)) if total else 0.0


def _most(counts: NDArray[np.int64], largest: int, tail: float) -> float:
    """Return its upper bound: as if one more excursion, as large as the largest, had been seen."""
    from scipy.special import gammaincinv

    weight = max(largest, int(counts.max()))
    total, squares = float(counts.sum()) + weight, float((counts**2).sum()) + weight**2
    return squares / total * float(gammaincinv(total**2 / squares, 1 - tail))
