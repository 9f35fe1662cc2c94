"""Where a series changes its level, and whether chance does that: Pettitt's test.

Pettitt, A. N.: A non-parametric approach to the change-point problem. Applied Statistics 28 (1979), 126-135.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rkbench.stats.levels import SMALLEST_RATIO, ranks_of

#: Of series that stay so, one in a hundred seems to change; 2 % besides is what hardly one does.
SURE = 0.01


@dataclass(frozen=True)
class LevelChange:
    """A series lies `ratio` higher (0.05 = 5 %) from place `index` on; chance does it with `p_value`."""

    index: int
    ratio: float
    p_value: float

    @property
    def matters(self) -> bool:
        """Whether it is more than 2 %, and no chance."""
        return abs(self.ratio) > SMALLEST_RATIO and self.p_value < SURE


def find_change(levels: Sequence[float]) -> LevelChange | None:
    """Return the likeliest change of levels (n, any unit, in order); None with fewer than two.

    Whether there is one says Pettitt's K, by his approximation p = 2 exp(-6 K^2 / (n^3 + n^2)): changes in
    the first or last tenth of a hundred levels are too short to be told from chance. Where a sure one is, K
    tells badly near the ends: it is where two medians leave the least absolute deviations.
    """
    count = len(levels)
    if count < 2:
        return None
    values = np.asarray(levels, dtype=np.float64)
    sums = 2 * np.cumsum(ranks_of(values))[:-1] - np.arange(1, count) * (count + 1)
    p_value = min(1.0, 2 * math.exp(-6 * float(np.abs(sums).max()) ** 2 / (count**3 + count**2)))
    index = int(np.argmax(np.abs(sums))) + 1
    if p_value < SURE:
        index = min(range(1, count), key=lambda place: _deviation_of_two(values, place))
    before, after = (float(np.median(part)) for part in (values[:index], values[index:]))
    return LevelChange(index, after / before - 1, p_value)


def is_step(levels: Sequence[float], change: LevelChange) -> bool:
    """Whether two levels describe these (n) better than a straight line does, by absolute deviations."""
    values, places = np.asarray(levels, dtype=np.float64), np.arange(len(levels))
    line = np.polynomial.Polynomial.fit(places, values, 1)(places)
    return _deviation_of_two(values, change.index) < float(np.abs(values - line).sum())


def _deviation_of_two(values: NDArray[np.float64], index: int) -> float:
    """Return the sum of absolute deviations from the two medians before and from `index` on."""
    return sum(float(np.abs(part - np.median(part)).sum()) for part in (values[:index], values[index:]))
