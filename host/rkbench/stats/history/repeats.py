"""What a night has in common with itself: cells that are measured twice in one night."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

#: Fewer pairs do not tell: then a night is taken to set all of it, and measuring again to tell nothing.
FEWEST_PAIRS = 20


def shared_part(pairs: Sequence[tuple[float, float]], variance: float) -> float | None:
    """Return how much of the variance between nights both measurements of one night have in common (0..1).

    `pairs` are logarithms of what two loads of one night took, `variance` that between nights; None with
    too few pairs.
    """
    if len(pairs) < FEWEST_PAIRS or not variance > 0:
        return None
    apart = np.asarray(pairs, dtype=np.float64)
    within = float(((apart[:, 0] - apart[:, 1]) ** 2).mean()) / 2
    return min(max(1 - within / variance, 0.0), 1.0)


def shift_of(shares: float | None, measurements: int) -> tuple[float, float]:
    """Return the variance of the mean of several measurements of one night, and how far one outlier moves
    it, both in terms of a single measurement's deviation; `shares` None: all of it is the night's."""
    common = 1.0 if shares is None else shares
    variance = common + (1 - common) / measurements
    outlier = max(math.sqrt(common), math.sqrt(1 - common) / measurements)
    return variance, outlier
