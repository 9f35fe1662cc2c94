"""A claim: a truth is staged many times, and what is said of it is counted or averaged.

`make truth` runs all claims with many trials and prints the table of docs/method.md; the tests run each with
few, a fixed seed, and bounds that leave room for chance. A claim that so few trials cannot break, whatever
rkbench did, is none of a test: it stays in `make truth`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Source = np.random.Generator
#: A rate is not allowed that its bound would yield in fewer than one of a hundred tests.
RARE = 0.01
#: The normal quantile of that.
_RARE_Z = 2.326


@dataclass(frozen=True)
class Claim:
    """A rate (0..1), or a figure's mean, that rkbench says to be `at_most` or `at_least` something."""

    name: str
    happens: Callable[[Source], float]
    """One trial: whether it happened, or the figure."""
    at_most: float | None = None
    at_least: float | None = None
    cost: float = 1
    """How many usual trials one takes: the tests make as many fewer, or more."""
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

    def keeps(self, rate: float) -> bool:
        """Return whether a rate keeps the claim."""
        return rate >= self.bound if self.at_most is None else rate <= self.bound

    def allows(self, rate: float, trials: int) -> bool:
        """Return whether a rate seen in `trials` may come of one that keeps the claim.

        It may not where a rate at the bound itself yields it, or a worse one, in fewer than one of a hundred
        tests (binomial; a figure's mean is taken for normal).
        """
        from scipy.special import bdtr, bdtrc

        if self.scatter is not None:
            off = (rate - self.bound) * (1 if self.at_least is None else -1)
            return off <= _RARE_Z * self.scatter / math.sqrt(trials)
        happened = round(rate * trials)
        if self.at_most is None:
            return float(bdtr(happened, trials, self.bound)) >= RARE
        return happened == 0 or float(bdtrc(happened - 1, trials, self.bound)) >= RARE

    def can_fail(self, trials: int) -> bool:
        """Return whether some rate in so many trials is not allowed."""
        return self.scatter is not None or not self.allows(0.0 if self.at_most is None else 1.0, trials)

    def trials(self, usual: int) -> int:
        """Return how many trials a test makes of this claim that makes so many usual ones."""
        return max(1, round(usual / self.cost))
