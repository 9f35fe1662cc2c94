"""Is one variant faster than another? Answered from pairs that were measured side by side.

The unit that is independent of the next is not the call, nor the block of calls: calls share the clock,
the temperature and the neighbours of their moment, and blocks share the level of their load (where a
model's buffers came to lie). In a quad A B B A what drifts linearly hits both alike, and half the
log-ratio of the block medians is one difference; the quads of one load are averaged. Loads are the units,
or quads where there is only one load, which then speaks for itself alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from rkbench.stats.gates import CANNOT_TELL
from rkbench.stats.signed_rank import fewest_differences, shift_of
from rkbench.stats.summary import median

PairedJudgement = Literal["faster", "slower", "no difference", "can't tell"]
FASTER: Final = "faster"
SLOWER: Final = "slower"
NO_DIFFERENCE: Final = "no difference"
#: How the estimate and its interval are made, stated in the result.
METHOD = "Hodges-Lehmann estimate over quads A B B A, exact signed-rank interval"

#: The smallest effect of interest: what differs by less is the same to who asks.
EFFECT = 0.02
CONFIDENCE = 0.95
FEWEST_LOADS = 7
QUADS_PER_LOAD = 2
#: Where there is one load alone, whose quads are the units.
QUADS_OF_ONE_LOAD = 12
#: What a plan with a precision may grow to until it is reached.
MOST_LOADS = 100
MOST_QUADS_OF_ONE_LOAD = 400

#: How many units more are measured once the intervals are narrow enough for a precision.
UNITS_BEYOND = 2

Quad = tuple[Sequence[float], Sequence[float], Sequence[float], Sequence[float]]
"""Durations of four blocks in the order of their measurement: A, B, B, A."""


@dataclass(frozen=True)
class PairedDifference:
    """By how much B's calls take longer (+) than A's, as a fraction of A's (0.02 = 2 %).

    `low` and `high` bound it with `confidence`; all three are None without any unit. `needed` is how many
    units would tell where the judgement is "can't tell", else None. `loads` is the number of loads.
    """

    judgement: PairedJudgement
    difference: float | None
    low: float | None
    high: float | None
    confidence: float
    units: int
    loads: int
    needed: int | None = None


def is_precise(found: PairedDifference, quads: int, half_width: float) -> bool:
    """Return whether measuring may end: the interval is as narrow as is asked (0.01 = 1 % to either side).

    Not before twelve quads, and seven loads where there are several: to stop earlier would make the interval
    hold less often than it says. What the interval says plays no part.
    """
    enough = quads >= QUADS_OF_ONE_LOAD and not 1 < found.loads < FEWEST_LOADS
    return enough and is_narrow(found, half_width)


def is_narrow(found: PairedDifference, half_width: float) -> bool:
    """Return whether there is an interval, no wider than this to either side (0.01 = 1 %)."""
    return found.low is not None and found.high is not None and (found.high - found.low) / 2 <= half_width


def level_difference(a_before: float, b_before: float, b_after: float, a_after: float) -> float:
    """Return half the log-ratio of B's block medians to A's (dimensionless), of their `block_level`s."""
    return (b_before + b_after - a_before - a_after) / 2


def block_level(block: Sequence[float]) -> float | None:
    """Return the logarithm of a block's median, in which ratios are differences.

    None where any of its calls took no time, or less: no board yields that, and the block tells nothing.
    """
    return math.log(median(block)) if min(block) > 0 else None


def paired_difference(
    loads: Sequence[Sequence[float]], *, effect: float = EFFECT, confidence: float = CONFIDENCE
) -> PairedDifference:
    """Judge the differences of quads, given load by load.

    Inside the zone of +-`effect`: no difference. Else, if the interval excludes 0: faster or slower.
    Else can't tell, with the number of units that would tell.
    """
    filled = [load for load in loads if load]
    units = list(filled[0]) if len(filled) == 1 else [math.fsum(load) / len(load) for load in filled]
    if not units:
        return PairedDifference(
            CANNOT_TELL, None, None, None, confidence, 0, 0, fewest_differences(confidence)
        )
    shift = shift_of(units, confidence)
    if shift.low is None or shift.high is None:
        more = max(fewest_differences(confidence), units_that_tell(units, effect, confidence))
        found = math.expm1(shift.estimate)
        return PairedDifference(CANNOT_TELL, found, None, None, confidence, len(units), len(filled), more)
    difference, low, high = (math.expm1(value) for value in (shift.estimate, shift.low, shift.high))
    judgement = _judge(low, high, effect)
    needed = units_that_tell(units, effect, confidence) if judgement == CANNOT_TELL else None
    return PairedDifference(judgement, difference, low, high, confidence, len(units), len(filled), needed)


def _judge(low: float, high: float, effect: float) -> PairedJudgement:
    if -effect <= low and high <= effect:  # all three are parts of A, as the precision of `is_precise` is
        return NO_DIFFERENCE
    if low > 0:
        return SLOWER
    return FASTER if high < 0 else CANNOT_TELL


def units_that_tell(units: Sequence[float], effect: float, confidence: float) -> int:
    """Return how many units bring the interval's half-width to half the effect, which always decides.

    ceil((t s / (effect / 2))^2), with the deviation s of the units seen and Student's t of their number.
    """
    count = len(units)
    if count < 2:
        return fewest_differences(confidence)
    from scipy.special import stdtrit  # not at the top: it costs what only a comparison needs to pay

    mean = math.fsum(units) / count
    deviation = math.sqrt(math.fsum((unit - mean) ** 2 for unit in units) / (count - 1))
    factor = float(stdtrit(count - 1, 1 - (1 - confidence) / 2))
    return max(count + 1, math.ceil((factor * deviation / (math.log1p(effect) / 2)) ** 2))


def loads_for(candidates: int) -> int:
    """Return how many loads carry exact intervals at 1 - 0.05 / K for K candidates, at least seven.

    Six would do for one candidate, but the interval of six is all that was seen, and finds 3 % where loads
    scatter by 1 % in 85 of 100 comparisons; that of seven in 98 (docs/method.md).
    """
    return max(FEWEST_LOADS, fewest_differences(joint_confidence(candidates)))


def quads_for(loads: int) -> int:
    """Return how many quads each load has by default."""
    return QUADS_PER_LOAD if loads > 1 else QUADS_OF_ONE_LOAD


def joint_confidence(candidates: int) -> float:
    """Return the confidence of each interval so that all of K candidates hold with 95 % (Bonferroni)."""
    return 1 - (1 - CONFIDENCE) / max(1, candidates)
