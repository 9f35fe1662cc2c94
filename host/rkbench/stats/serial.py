"""Does the level of a run wander from block to block? Then its blocks are not independent.

Von Neumann's ratio (1941) of the block medians: the mean square of successive differences over the
variance, 2 for independent values, less where a block resembles its neighbour.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from rkbench.stats.middle import medians

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: One-sided 2 %: so many healthy runs are called wandering, and of those that wander (AR(1) 0.99, 40 blocks)
#: 99.5 % are. At 1 % it would be 98.9 %.
LIMIT_Z = 2.05
FEWEST_BLOCKS = 12


def wanders(blocks: Sequence[Sequence[float] | NDArray[Any]]) -> bool:
    """Return whether block medians resemble their neighbours; False with fewer than twelve blocks."""
    levels = medians([block for block in blocks if len(block)])
    return len(levels) >= FEWEST_BLOCKS and serial_z(levels) > LIMIT_Z


def serial_z(levels: Sequence[float]) -> float:
    """Return how many standard errors von Neumann's ratio lies below that of independent values.

    0 where all three or more `levels` are equal. Its variance under independence is
    4 (n - 2) / (n^2 - 1).
    """
    count = len(levels)
    if min(levels) == max(levels):  # their mean, rounded, may be another number
        return 0.0
    mean = math.fsum(levels) / count
    variation = math.fsum((level - mean) ** 2 for level in levels)
    if variation == 0:
        return 0.0
    ratio = math.fsum((after - before) ** 2 for before, after in pairwise(levels)) / variation
    return (1 - ratio / 2) * math.sqrt((count**2 - 1) / (count - 2))
