"""How far beyond the usual a night of a lab lies by chance, where chance has longer tails than the normal.

A generalized Pareto distribution over the largest twentieth of what all series saw, by probability-weighted
moments: Hosking, J. R. M.; Wallis, J. R.: Parameter and quantile estimation for the generalized Pareto
distribution. Technometrics 29 (1987), 339-349.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LARGEST = 0.05
#: Fewer values do not carry a shape.
FEWEST_BEYOND = 30
#: No noise of a lab has a shorter tail than a bounded one, or one without a variance.
_SHAPES = (-0.3, 0.5)


@dataclass(frozen=True)
class Tail:
    """Of standardized nights `share` lie beyond `threshold`, by an amount of this `scale` and `shape`."""

    threshold: float
    share: float
    scale: float
    shape: float

    def beyond(self, probability: float) -> float:
        """Return what a night lies beyond with this probability, in standard deviations."""
        ratio: float = probability / self.share
        if abs(self.shape) < 1e-6:
            return self.threshold - self.scale * math.log(ratio)
        return float(self.threshold + self.scale * (ratio**-self.shape - 1) / self.shape)


def fit_tail(standardized: NDArray[Any]) -> Tail | None:
    """Return the upper tail of standardized nights; None where there are too few."""
    count = int(len(standardized) * _LARGEST)
    if count < FEWEST_BEYOND:
        return None
    largest = np.sort(standardized)[-count - 1 :]
    beyond = largest[1:] - largest[0]
    mean = float(beyond.mean())
    weighted = float((beyond * (1 - (np.arange(1, count + 1) - 0.35) / count)).mean())
    if mean <= 2 * weighted:
        return None
    shape = min(max(2 - mean / (mean - 2 * weighted), _SHAPES[0]), _SHAPES[1])
    scale = 2 * mean * weighted / (mean - 2 * weighted)
    return Tail(float(largest[0]), count / len(standardized), scale, shape)
