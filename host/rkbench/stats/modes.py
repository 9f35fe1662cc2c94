"""Do latencies lie in two or three heaps? Then no mean or median describes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

MOST_MODES = 3
#: The values are divided at so many of their quantiles.
GRID = 200
FEWEST_VALUES = 40
#: Each heap holds a tenth of the values, lies 2 % from its neighbour and four of the larger deviation.
SMALLEST_SHARE, SMALLEST_STEP, APART = 0.1, 0.02, 4.0
#: In the middle third between two heaps lies at most so much of the smaller one.
VALLEY_SHARE = 0.15


@dataclass(frozen=True)
class Mode:
    """One heap: its median, its part of all values (0..1) and the bounds that hold it."""

    value: float
    share: float
    low: float
    high: float


def find_modes(values: Sequence[float]) -> tuple[Mode, ...]:
    """Return two or three heaps, ascending; empty where the values form one.

    Fisher's exact partition of ordered values (1958) on 200 of their quantiles, three heaps before two, kept
    where each neighbour is clearly apart.
    """
    if len(values) < FEWEST_VALUES:
        return ()
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    grid = ordered[np.linspace(0, len(ordered) - 1, min(GRID, len(ordered))).astype(int)]
    costs = _costs(grid)
    for count in range(MOST_MODES, 1, -1):
        heaps = _heaps(ordered, [float(grid[place]) for place in _cuts(costs, count)])
        if heaps is not None:
            return tuple(
                Mode(float(np.median(heap)), len(heap) / len(ordered), float(heap[0]), float(heap[-1]))
                for heap in heaps
            )
    return ()


def _costs(grid: Any) -> Any:
    """Return the sum of squares around their mean of grid[i:j], for all i < j, as a matrix."""
    sums, squares = (np.concatenate([[0.0], np.cumsum(grid**power)]) for power in (1, 2))
    count = np.arange(len(sums))
    size = np.maximum(1, count[None, :] - count[:, None])
    costs = squares[None, :] - squares[:, None] - (sums[None, :] - sums[:, None]) ** 2 / size
    return np.where(count[None, :] > count[:, None], np.maximum(costs, 0.0), np.inf)


def _cuts(costs: Any, count: int) -> list[int]:
    """Return where the best partition into `count` parts begins its second and further ones."""
    best, choices = costs[0], []
    for _ in range(count - 1):
        total = best[:, None] + costs
        choices.append(total.argmin(axis=0))
        best = total.min(axis=0)
    end, cuts = len(costs) - 1, []
    for choice in reversed(choices):
        end = int(choice[end])
        cuts.append(end)
    return cuts[::-1]


def _heaps(ordered: Any, starts: Sequence[float]) -> list[Any] | None:
    """Return the heaps that begin at those values, or None where they are not clearly apart."""
    heaps = np.split(ordered, np.searchsorted(ordered, starts))
    if min(len(heap) for heap in heaps) < SMALLEST_SHARE * len(ordered):
        return None
    apart = all(_are_apart(heaps[place], heaps[place + 1]) for place in range(len(heaps) - 1))
    return heaps if apart else None


def _are_apart(left: Any, right: Any) -> bool:
    low, high = float(np.median(left)), float(np.median(right))
    step = high - low
    if step < SMALLEST_STEP * low or step < APART * max(_deviation(left), _deviation(right)):
        return False
    both = np.concatenate([left, right])
    between = ((both > low + step / 3) & (both < high - step / 3)).sum()
    return bool(between <= VALLEY_SHARE * min(len(left), len(right)))


def _deviation(values: Any) -> float:
    """Return the standard deviation of a normal distribution with the same median deviation."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))
