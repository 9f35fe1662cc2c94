"""What is usual of each series of a lab: the level of its last twenty accepted nights, and how they scatter.

Values are logarithms, a row a series, a column a night, the oldest first; NaN where a night has none, did not
accept it, or belongs to another epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rkbench.stats.history.scale import fit_prior
from rkbench.stats.history.tails import Tail, fit_tail

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: So many nights are the reference; with fewer, the deviation is drawn harder to what all series say.
REFERENCE_NIGHTS = 20
#: With fewer there is none.
FEWEST_NIGHTS = 5
#: An outlier tells of itself by the nights beside it, of which there must be some.
_BESIDE_ITSELF = 3


@dataclass(frozen=True)
class Usual:
    """What is usual of each series: `level` (logarithm), `deviation` of a night with the degrees of freedom
    that it is known with, from how many `nights`; the `tail` that all series share."""

    level: NDArray[Any]
    deviation: NDArray[Any]
    freedom: NDArray[Any]
    nights: NDArray[Any]
    tail: Tail | None

    @property
    def variance(self) -> float:
        """The mean variance between nights, of series that have a reference; 0 where none has."""
        told = self.deviation[self.nights >= FEWEST_NIGHTS]
        return float((told**2).mean()) if len(told) else 0.0


def fit_usual(accepted: NDArray[Any]) -> Usual:
    """Return what is usual by the last accepted nights of each series."""
    seen = ~np.isnan(accepted)
    seen &= np.cumsum(seen[:, ::-1], axis=1)[:, ::-1] <= REFERENCE_NIGHTS
    nights = seen.sum(axis=1)
    count = np.maximum(nights, 1)
    level = np.where(seen, accepted, 0.0).sum(axis=1) / count
    apart = np.where(seen, accepted - level[:, None], 0.0)
    squares, freedom = (apart**2).sum(axis=1), np.maximum(nights - 1, 0).astype(np.float64)
    prior = fit_prior(squares / np.maximum(freedom, 1), freedom)
    harder = REFERENCE_NIGHTS / count
    variance, known = prior.shrunk(squares / np.maximum(freedom, 1), freedom, harder)

    # Each night against the others of its series: one that sets its own scale would never stand out.
    others, without = np.maximum(count - 1, 1)[:, None], np.maximum(freedom - 1, 1)[:, None]
    rest = np.maximum(squares[:, None] - apart**2 * count[:, None] / others, 0.0) / without
    spread, _ = prior.shrunk(rest, without, harder[:, None])
    with np.errstate(divide="ignore", invalid="ignore"):
        standardized = apart * np.sqrt(count[:, None] / others / spread)
    told = standardized[seen & (nights >= _BESIDE_ITSELF)[:, None]]
    return Usual(level, np.sqrt(variance), known, nights, fit_tail(told[np.isfinite(told)]))
