"""Is the candidate faster than the baseline? An interval from block resampling, and a word for it.

Iterations inside a block share the clock, the temperature and the neighbours of that moment, so they
are no independent samples: what is resampled is the block (its median), not the iteration. Where a run
has fewer than six blocks they are cut into segments of at least ten consecutive iterations.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, Literal

from rkbench.stats.summary import median, percentile

LatencyJudgement = Literal["faster", "slower", "no difference", "too few iterations"]
FASTER: Final = "faster"
SLOWER: Final = "slower"
NO_DIFFERENCE: Final = "no difference"
TOO_FEW: Final = "too few iterations"

#: How the interval is made, stated in the result.
METHOD = "bootstrap of block medians, 95 %"

MINIMUM_UNITS = 6
MAXIMUM_UNITS = 200
SEGMENT_ITERATIONS = 10
RESAMPLES = 2000
SEED = 3588
#: Below one percent two runs are called equal, whatever the interval says.
SMALLEST_DIFFERENCE_PERCENT = 1.0


@dataclass(frozen=True)
class LatencyDifference:
    """By how many percent the candidate's latency is above (+) or below (-) the baseline's.

    `low_percent` and `high_percent` bound it with 95 % confidence; all three are None where there are
    too few iterations to say.
    """

    judgement: LatencyJudgement
    difference_percent: float | None
    low_percent: float | None
    high_percent: float | None
    method: str = METHOD


def difference_percent(baseline: float | None, candidate: float | None) -> float | None:
    """Return by how many percent `candidate` is above `baseline`; None where unknown or undefined."""
    if baseline is None or candidate is None or math.isinf(baseline) or math.isinf(candidate):
        return None
    if baseline == 0:
        return 0.0 if candidate == 0 else None
    return (candidate - baseline) / abs(baseline) * 100


def compare_latencies(
    baseline: Sequence[Sequence[float]], candidate: Sequence[Sequence[float]]
) -> LatencyDifference:
    """Return the difference of two runs, each given as its blocks of durations in order."""
    base_units, units = _units(baseline), _units(candidate)
    if len(base_units) < MINIMUM_UNITS or len(units) < MINIMUM_UNITS:
        return LatencyDifference(TOO_FEW, None, None, None)
    difference = _relative(base_units, units)
    source = random.Random(SEED)
    resampled = sorted(
        _relative(
            source.choices(base_units, k=len(base_units)),
            source.choices(units, k=len(units)),
        )
        for _ in range(RESAMPLES)
    )
    low, high = percentile(resampled, 2.5), percentile(resampled, 97.5)
    return LatencyDifference(_judge(difference, low, high), difference, low, high)


def resampling_units(blocks: Sequence[Sequence[float]]) -> list[list[float]]:
    """Return what is drawn anew as a whole: the blocks, or segments of them where the blocks are few."""
    filled = [block for block in blocks if len(block) > 0]
    if len(filled) >= MINIMUM_UNITS:
        return [list(chain.from_iterable(group)) for group in _grouped(filled)]
    return [list(segment) for block in filled for segment in _segments(block)]


def _units(blocks: Sequence[Sequence[float]]) -> list[float]:
    return [median(unit) for unit in resampling_units(blocks)]


def _grouped(blocks: Sequence[Sequence[float]]) -> list[Sequence[Sequence[float]]]:
    """Join neighbouring blocks so that at most `MAXIMUM_UNITS` groups are left: more say no more."""
    size = -(-len(blocks) // MAXIMUM_UNITS)
    return [blocks[start : start + size] for start in range(0, len(blocks), size)]


def _segments(block: Sequence[float]) -> list[Sequence[float]]:
    """Cut `block` into segments of `SEGMENT_ITERATIONS`; a rest joins the last, a short block is left out."""
    count = len(block) // SEGMENT_ITERATIONS
    cuts = [index * SEGMENT_ITERATIONS for index in range(count)] + [len(block)]
    return [block[cuts[index] : cuts[index + 1]] for index in range(count)]


def _relative(baseline: Sequence[float], candidate: Sequence[float]) -> float:
    base = sum(baseline) / len(baseline)
    return (sum(candidate) / len(candidate) - base) / base * 100


def _judge(difference: float, low: float, high: float) -> LatencyJudgement:
    if low <= 0 <= high or abs(difference) < SMALLEST_DIFFERENCE_PERCENT:
        return NO_DIFFERENCE
    return FASTER if difference < 0 else SLOWER
