"""A claim: a truth is staged many times, and what is said of it is counted or averaged.

`make truth` runs all claims with many trials and prints the table of docs/method.md; the tests run each with
few, a fixed seed, and bounds that leave room for chance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Source = np.random.Generator


@dataclass(frozen=True)
class Claim:
    """A rate (0..1), or a figure's mean, that rkbench says to be `at_most` or `at_least` something."""

    name: str
    happens: Callable[[Source], float]
    """One trial: whether it happened, or the figure."""
    at_most: float | None = None
    at_least: float | None = None
    cost: int = 1
    """How many usual trials one takes: the tests make as many fewer."""
    scatter: float | None = None
    """Standard deviation of the figure of one trial; None where it happens or does not."""

    def rate(self, source: Source, trials: int) -> float:
        """Return how often it happened in `trials`, or the figure's mean."""
        return float(sum(self.happens(source) for _ in range(trials))) / trials

    @property
    def bound(self) -> float:
        """What the rate must not cross."""
        bound = self.at_least if self.at_most is None else self.at_most
        assert bound is not None
        return bound

    def keeps(self, rate: float, slack: float = 0.0) -> bool:
        """Return whether a rate keeps the claim, so much granted."""
        return rate >= self.bound - slack if self.at_most is None else rate <= self.bound + slack

    def allows(self, rate: float, trials: int) -> bool:
        """Return whether a rate seen in `trials` keeps the claim, three standard errors granted."""
        bound = self.bound
        scatter = np.sqrt(bound * (1 - bound)) if self.scatter is None else self.scatter
        return self.keeps(rate, 3 * float(scatter) / np.sqrt(trials))
