"""A model over all boards of one SoC: what no single board shows, their mean does.

What a night does to a board it does to all models on it: the median over its models is taken off first.
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from rkbench.stats.history.usual import FEWEST_NIGHTS, REFERENCE_NIGHTS
from rkbench.stats.history.verdicts import (
    NO_REGRESSION,
    NOT_ENOUGH_DATA,
    REGRESSION,
    PastNights,
    Verdict,
    critical,
    error_of,
    labelled,
    lasting,
    told_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Fewer boards are no pool, and the median of fewer models is too near each of them to be a board's level.
FEWEST_BOARDS = 3
FEWEST_MODELS = 5
#: A lab without any change has a red pool for this share of its nights, by each way to be red.
RED_POOLS = 0.0015


def pool(nights: NDArray[Any]) -> NDArray[Any]:
    """Return the pooled series of each model (models x nights) of logarithms (models x boards x nights).

    The last column is tonight, and no part of the level that is taken off; NaN where fewer than three boards
    have a value.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of what has no value at all, NaN is the mean
        past = nights[:, :, :-1][:, :, -REFERENCE_NIGHTS:]
        apart = nights - np.nanmean(past, axis=2, keepdims=True)
        there = ~np.isnan(apart)
        common = np.where(there.sum(axis=0) >= FEWEST_MODELS, np.nanmedian(apart, axis=0), 0.0)
        means = np.nanmean(apart - common, axis=1)
    return np.asarray(np.where(there.sum(axis=1) >= FEWEST_BOARDS, means, np.nan))


def judge_pool(past: PastNights, place: int, value: float, *, beyond: float) -> Verdict:
    """Return what the past of pools says of one: `value` is tonight's, its difference to the boards' levels.

    Nothing is measured again: what makes a false alarm on one board is a tenth of the mean of ten.
    """
    usual = past.usual
    if usual.nights[place] < FEWEST_NIGHTS or math.isnan(value):
        return Verdict(NOT_ENOUGH_DATA, nights=int(usual.nights[place]))
    error = error_of(past, place, 1)
    told = told_of(usual, place, value, error)
    shift = value - float(usual.level[place])
    if shift > max(math.log1p(beyond), critical(past, place, 1.0, 1) * error):
        return labelled(REGRESSION, told)
    found = lasting(past, place, value, beyond)
    return labelled(NO_REGRESSION, told) if found is None else found
