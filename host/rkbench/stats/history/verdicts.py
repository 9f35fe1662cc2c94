"""What the past says of tonight: by the mean of three measurements, or of the last three or five nights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from rkbench.stats.history.repeats import shift_of
from rkbench.stats.history.usual import FEWEST_NIGHTS, REFERENCE_NIGHTS, Usual, fit_usual

if TYPE_CHECKING:
    from numpy.typing import NDArray

Label = Literal["regression", "suspicious", "no regression", "not enough data"]
REGRESSION: Final = "regression"
SUSPICIOUS: Final = "suspicious"
NO_REGRESSION: Final = "no regression"
NOT_ENOUGH_DATA: Final = "not enough data"

#: In so many standard errors above its level a measurement is made again, twice: about 3 of 1,000.
SUSPECT = 2.75
AGAIN = 2
#: A lab without any change has a red night for this share of its nights, by each way to be red.
RED_NIGHTS = 0.003
#: Of several nights, which were looked at before: so many standard errors farther.
_LOOKED_AT_BEFORE = 0.4
#: Means of so many nights, which find what no single night shows; tonight itself must lie above its level.
SEVERAL_NIGHTS = (3, 5)
_TONIGHT_AT_LEAST = 1.0
#: Both measurements made again lie so far above the level, unless the gate asks for less.
_AGAIN_ABOVE = 0.01
_BOUND = 0.975


@dataclass(frozen=True)
class Verdict:
    """What the past says of tonight: by how many percent it lies above (+) the level, within 95 %.

    `nights` are those of the reference; `deviation_percent` of one night; `over_nights`: the mean of so many
    was judged; `creeps`: against the first nights of the epoch, not the last.
    """

    label: Label
    difference_percent: float | None = None
    low_percent: float | None = None
    high_percent: float | None = None
    nights: int = 0
    deviation_percent: float | None = None
    over_nights: int = 1
    creeps: bool = False


@dataclass(frozen=True)
class Before:
    """What was usual before the last `nights` nights, tonight among them, and the sums of the others.

    `creeps`: it is the first reference of the epoch, from which small steps lead away.
    """

    usual: Usual
    sums: NDArray[Any]
    nights: int
    creeps: bool = False


@dataclass(frozen=True)
class PastNights:
    """The past of all series of a lab: what is usual tonight, and was `before` the last nights.

    `shares`: how much of a night's deviation its measurements have in common, None where unknown.
    """

    usual: Usual
    before: tuple[Before, ...]
    shares: float | None
    probability: float

    @property
    def is_known(self) -> NDArray[Any]:
        """Which series have a reference."""
        return self.usual.nights >= FEWEST_NIGHTS


def look_back(
    accepted: NDArray[Any],
    measured: NDArray[Any],
    shares: float | None = None,
    *,
    series: int | None = None,
    red: float = RED_NIGHTS,
) -> PastNights:
    """Return the past of series whose nights are columns; `measured` also holds what was not accepted.

    `series`: how many are judged in all, where those of other figures are judged beside them; `red`: the
    share of nights that chance may make red.
    """
    before = []
    for nights in SEVERAL_NIGHTS:
        sums = _sums(measured, nights - 1)
        before.append(Before(fit_usual(accepted[:, : 1 - nights]), sums, nights))
    # The first of an epoch are another reference only where they lie before the last.
    first = accepted[:, : -(REFERENCE_NIGHTS + nights - 1)][:, ::-1]
    if first.shape[1] >= REFERENCE_NIGHTS:
        before.append(Before(fit_usual(first), sums, nights, creeps=True))
    count = max(len(accepted) if series is None else series, 1)
    return PastNights(fit_usual(accepted), tuple(before), shares, red / count)


def _sums(measured: NDArray[Any], nights: int) -> NDArray[Any]:
    if measured.shape[1] < nights:
        return np.full(len(measured), np.nan)
    return np.asarray(measured[:, -nights:].sum(axis=1))


def is_suspect(past: PastNights, tonight: NDArray[Any]) -> NDArray[Any]:
    """Return which series are to be measured again, by their logarithms of tonight (NaN: not measured)."""
    return past.is_known & (_standard(past.usual, tonight) > SUSPECT)


def judge_night(past: PastNights, place: int, values: Sequence[float], *, beyond: float) -> Verdict:
    """Return what the past says of series `place`: `values` are its logarithms of tonight, the first
    measurement and those made again; a difference of less than `beyond` (0.01 = 1 %) is none."""
    usual, mean = past.usual, float(np.mean(values))
    if usual.nights[place] < FEWEST_NIGHTS:
        return Verdict(NOT_ENOUGH_DATA, nights=int(usual.nights[place]))
    told = told_of(usual, place, mean, error_of(past, place, len(values)))
    if is_beyond(past, place, values, beyond):
        return labelled(REGRESSION, told)
    stands_out = values[0] - usual.level[place] > SUSPECT * error_of(past, place, 1)
    if not (stands_out and len(values) <= AGAIN):  # a single night that nobody looked at again is no trend
        lasts = lasting(past, place, mean, beyond)
        if lasts is not None:
            return lasts
    return labelled(SUSPICIOUS if stands_out and (told.low_percent or 0.0) > 0 else NO_REGRESSION, told)


def is_beyond(past: PastNights, place: int, values: Sequence[float], beyond: float) -> bool:
    """Return whether three measurements of tonight say that a series lies above its level."""
    if len(values) < 1 + AGAIN:
        return False
    level, least = float(past.usual.level[place]), math.log1p(beyond)
    shift, again = float(np.mean(values)) - level, min(values[1:]) - level
    variance, outlier = shift_of(past.shares, len(values))
    farthest = critical(past, place, outlier / math.sqrt(variance), len(values))
    surely = farthest * error_of(past, place, len(values))
    return shift > max(least, surely) and again > min(least, math.log1p(_AGAIN_ABOVE))


def lasting(past: PastNights, place: int, tonight: float, beyond: float) -> Verdict | None:
    """Return the regression that the mean of the last nights shows over the level before them; else None.

    None also where tonight itself does not lie above its level.
    """
    for before in past.before:
        level = past.usual.level if not before.creeps else before.usual.level
        above = tonight - float(level[place])
        if not above > max(math.log1p(beyond) / 2, _TONIGHT_AT_LEAST * error_of(past, place, 1)):
            continue
        if (found := _over(past, before, place, tonight, beyond)) is not None:
            return found
    return None


def _over(past: PastNights, before: Before, place: int, tonight: float, beyond: float) -> Verdict | None:
    reference, nights = before.usual, before.nights
    mean = (float(before.sums[place]) + tonight) / nights
    if math.isnan(mean) or reference.nights[place] < FEWEST_NIGHTS:
        return None
    shift = mean - float(reference.level[place])
    farthest = critical(past, place, 1 / math.sqrt(nights), nights) + _LOOKED_AT_BEFORE
    error = float(past.usual.deviation[place]) * math.sqrt(1 / nights + 1 / int(reference.nights[place]))
    if not shift > max(math.log1p(beyond), farthest * error):
        return None
    found = labelled(REGRESSION, told_of(reference, place, mean, error), nights)
    return replace(found, creeps=before.creeps)


def critical(past: PastNights, place: int, outlier: float, count: int) -> float:
    """Return how many standard errors chance alone does not reach: Student's t, or where tails are longer
    what one outlier among `count` does, which moves the mean by `outlier` of its standard errors."""
    from scipy.special import stdtrit

    usual = past.usual
    farthest = float(stdtrit(usual.freedom[place], 1 - past.probability))
    if usual.tail is None:
        return farthest
    return max(farthest, outlier * usual.tail.beyond(past.probability / count))


def error_of(past: PastNights, place: int, measurements: int) -> float:
    """Return the standard error of the mean of so many measurements of tonight."""
    usual, (variance, _) = past.usual, shift_of(past.shares, measurements)
    return float(usual.deviation[place] * math.sqrt(variance + 1 / max(usual.nights[place], 1)))


def _standard(usual: Usual, values: NDArray[Any]) -> NDArray[Any]:
    error = usual.deviation * np.sqrt(1 + 1 / np.maximum(usual.nights, 1))
    return np.asarray((values - usual.level) / np.maximum(error, 1e-12))


def told_of(usual: Usual, place: int, value: float, error: float) -> Verdict:
    """Return by how much a value lies above a level, with bounds."""
    from scipy.special import stdtrit

    shift = value - float(usual.level[place])
    half = float(stdtrit(max(float(usual.freedom[place]), 1.0), _BOUND)) * error
    return Verdict(
        NO_REGRESSION,
        math.expm1(shift) * 100,
        math.expm1(shift - half) * 100,
        math.expm1(shift + half) * 100,
        min(int(usual.nights[place]), REFERENCE_NIGHTS),
        float(usual.deviation[place]) * 100,
    )


def labelled(label: Label, told: Verdict, nights: int = 1) -> Verdict:
    """Return a verdict with another label, by the mean of so many nights."""
    return replace(told, label=label, over_nights=nights)
