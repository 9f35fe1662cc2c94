"""Where a series changes its level, and whether chance does that: Pettitt's test; and what lies apart.

Pettitt, A. N.: A non-parametric approach to the change-point problem. Applied Statistics 28 (1979), 126-135.
Rousseeuw, P. J.; Leroy, A. M.: A robust scale estimator based on the shortest half. Statistica Neerlandica 42
(1988), 103-116.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from rkbench.stats.levels import SMALLEST_RATIO, ranks_of

#: Of series that stay so, one in a hundred seems to change; 2 % besides is what hardly one does.
SURE = 0.01
#: Fewer levels do not tell how far they scatter.
FEWEST_SCATTERED = 20
#: So many levels, at least, lie apart together: one or two are a hiccup.
_SEVERAL = 3
#: The level is that of the shortest interval that holds so many: less than half, so that of two states that
#: take turns it holds one.
_SHORTEST = 0.45
#: The scatter of few is underestimated, that of tails by far: this many times it, at most three of a
#: thousand series that stay so have levels apart.
_CAREFUL = 2.0


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


@dataclass(frozen=True)
class LevelsApart:
    """Levels at these places, in order, lie `ratio` from the level of the others (0.8: 80 % higher)."""

    places: tuple[int, ...]
    ratio: float


def find_apart(levels: Sequence[float]) -> LevelsApart | None:
    """Return which levels (n, any unit) lie far above the others, or below; None with fewer than twenty.

    Level and scatter are those of the shortest interval with 45 % of them, which a third that lies elsewhere
    hardly moves. Far is twice what the farthest of n normal ones reaches in one of a hundred (Bonferroni),
    and 2 %. Wherever they stand: what Pettitt's test sees neither at an end nor where it comes and goes.
    """
    count = len(levels)
    if count < FEWEST_SCATTERED:
        return None
    values, normal = np.asarray(levels, dtype=np.float64), NormalDist()
    level, half_width = _shortest(values)
    scatter = half_width / normal.inv_cdf(0.5 + _SHORTEST / 2)
    far = max(_CAREFUL * normal.inv_cdf(1 - SURE / 2 / count) * scatter, SMALLEST_RATIO * level)
    sides = (np.flatnonzero(values > level + far), np.flatnonzero(values < level - far))
    places = max(sides, key=len)
    if len(places) < _SEVERAL:
        return None
    return LevelsApart(tuple(map(int, places)), float(np.median(values[places])) / level - 1)


def _shortest(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the median and half the width of the shortest interval with that share of the values."""
    ordered, held = np.sort(values), math.ceil(_SHORTEST * len(values))
    widths = ordered[held - 1 :] - ordered[: len(values) - held + 1]
    start = int(np.argmin(widths))
    return float(np.median(ordered[start : start + held])), float(widths[start]) / 2


def is_step(levels: Sequence[float], change: LevelChange) -> bool:
    """Whether two levels describe these (n) better than a straight line does, by absolute deviations."""
    values, places = np.asarray(levels, dtype=np.float64), np.arange(len(levels))
    line = np.polynomial.Polynomial.fit(places, values, 1)(places)
    return _deviation_of_two(values, change.index) < float(np.abs(values - line).sum())


def _deviation_of_two(values: NDArray[np.float64], index: int) -> float:
    """Return the sum of absolute deviations from the two medians before and from `index` on."""
    return sum(float(np.abs(part - np.median(part)).sum()) for part in (values[:index], values[index:]))
