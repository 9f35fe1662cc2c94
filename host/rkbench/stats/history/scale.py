"""How far the nights of a series lie apart, shrunk over all series of a lab.

Smyth, G. K.: Linear models and empirical Bayes methods for assessing differential expression in microarray
experiments. Statistical Applications in Genetics and Molecular Biology 3 (2004), section 6: variances are
scaled inverse chi-squared; twenty nights of one series tell less of its variance than all series together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Fewer series tell nothing of how variances differ: each stands for itself then.
FEWEST_SERIES = 3
#: The degrees of freedom of a variance that all series share.
_ENDLESS = 1e6


@dataclass(frozen=True)
class Prior:
    """What the variances of all series say of one: about `variance`, as if seen in `freedom` nights more."""

    variance: float
    freedom: float

    def shrunk(
        self, variances: NDArray[Any], freedom: NDArray[Any], weight: NDArray[Any] | float = 1.0
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return variances and their degrees of freedom, drawn to the usual one; `weight` draws harder."""
        own = np.minimum(self.freedom * weight, _ENDLESS)
        both = own + freedom
        return (own * self.variance + freedom * variances) / np.maximum(both, 1e-12), both


def fit_prior(variances: NDArray[Any], freedom: NDArray[Any]) -> Prior:
    """Return the prior that variances with these degrees of freedom come of; one of no weight where fewer
    than three series tell."""
    from scipy.special import digamma, polygamma

    told = (freedom >= 1) & (variances > 0)
    if told.sum() < FEWEST_SERIES:
        return Prior(1.0, 0.0)
    half = freedom[told] / 2
    logs = np.log(variances[told]) - digamma(half) + np.log(half)
    mean, beyond = float(logs.mean()), float(logs.var(ddof=1) - polygamma(1, half).mean())
    if beyond <= 0:  # they differ by no more than chance makes them
        return Prior(math.exp(mean), _ENDLESS)
    half_prior = _trigamma_inverse(beyond)
    return Prior(math.exp(mean + float(digamma(half_prior)) - math.log(half_prior)), 2 * half_prior)


def _trigamma_inverse(value: float) -> float:
    """Return the number whose trigamma is `value`, by Newton's steps (Smyth 2004, appendix)."""
    from scipy.special import polygamma

    found = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(polygamma(1, found))
        step = trigamma * (1 - trigamma / value) / float(polygamma(2, found))
        found += step
        if abs(step) < 1e-8 * found:
            break
    return found
