"""Do the blocks of a run lie at one level? Starts, turns, drifts and differences between blocks.

All take the blocks of one load, in order, in any unit of time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from rkbench.stats.middle import medians, quartile_ranges
from rkbench.stats.signed_rank import chance_of_ranks
from rkbench.stats.slope import find_slope

T = TypeVar("T")
Blocks = Sequence[Sequence[float]]
#: Slopes are taken over all pairs: more levels than this are joined with their neighbours.
MOST_LEVELS = 120
#: Less than this (2 %) is no drift, no slow start and no slow turn that anybody minds.
SMALLEST_RATIO = 0.02
#: So many levels, at least, show a drift or a memory.
FEWEST_LEVELS = 6
START_CALLS = 10
FEWEST_TURNS, MOST_EXACT_TURNS = 12, 100
#: Of a test whose verdict is "these differ": one healthy run in a thousand.
RARE = 0.001
#: Normal quantiles of 95 and 99 %, two-sided.
_QUANTILES = (1.959963984540054, 2.5758293035489004)


def block_levels(blocks: Blocks) -> list[float]:
    """Return the median of each block; of neighbours together where there are many."""
    return medians([np.concatenate(part) for part in _neighbours(blocks)])


def joined_levels(levels: Sequence[float]) -> list[float]:
    """Return levels as they are; the means of neighbours where there are many."""
    return [float(np.mean(part)) for part in _neighbours(levels)]


def joined_count(count: int) -> int:
    """Return how many of so many levels are joined into one."""
    return max(1, math.ceil(count / MOST_LEVELS))


def _neighbours(values: Sequence[T]) -> Iterator[Sequence[T]]:
    join = joined_count(len(values))
    return (values[start : start + join] for start in range(0, len(values), join))


@dataclass(frozen=True)
class Drift:
    """By how much of its level a run grew from its first block to its last (0.05 = 5 %), with its bounds."""

    ratio: float
    low: float
    high: float

    @property
    def matters(self) -> bool:
        """Whether it is more than 2 %, and no chance."""
        return abs(self.ratio) > SMALLEST_RATIO and (self.low > 0 or self.high < 0)


def find_drift(levels: Sequence[float], *, sure: bool = False) -> Drift | None:
    """Return the drift of levels in order, by Theil's and Sen's slope; None with fewer than six.

    Its interval is one of 95 %, or of 99 % to be `sure`.
    """
    slope = find_slope(levels, fewest=FEWEST_LEVELS, quantile=_QUANTILES[sure])
    if slope.per_step is None or slope.low is None or slope.high is None:
        return None
    scale = (len(levels) - 1) / float(np.median(levels))
    return Drift(slope.per_step * scale, slope.low * scale, slope.high * scale)


def without_drift(levels: Sequence[float], drift: Drift | None) -> list[float]:
    """Return the levels with a straight line of that drift taken out."""
    if drift is None or len(levels) < 2:
        return list(levels)
    step = drift.ratio * float(np.median(levels)) / (len(levels) - 1)
    return [level - step * place for place, level in enumerate(levels)]


def relative_deviation(levels: Sequence[float]) -> float:
    """Return the standard deviation of levels over their median (0.01 = 1 %); 0 with fewer than two."""
    return float(np.std(levels, ddof=1)) / float(np.median(levels)) if len(levels) > 1 else 0.0


@dataclass(frozen=True)
class Start:
    """How much longer the first calls take than any block of the second half, and for how many blocks."""

    ratio: float
    blocks: int


def find_start(blocks: Blocks, smallest: float) -> Start | None:
    """Return what the first ten calls say, and how many blocks lie `smallest` above; None with one block."""
    if len(blocks) < 2:
        return None
    levels = medians(blocks)
    later = max(levels[len(blocks) // 2 :])
    high = next((place for place, level in enumerate(levels) if level <= later * (1 + smallest)), len(levels))
    return Start(float(np.median(blocks[0][:START_CALLS])) / later, high)


@dataclass(frozen=True)
class Turns:
    """How much longer the first call of a block takes than its others, and how rare that is by chance."""

    ratio: float
    p_value: float


def find_slow_turns(blocks: Blocks) -> Turns | None:
    """Return what the first call of each block says, by Wilcoxon's signed ranks (1945), one-sided.

    None with fewer than twelve blocks of three calls. Exact up to a hundred blocks: of twelve the normal
    approximation calls nothing rarer than 0.0011, which all of them yield once in 4,096.
    """
    whole = [block for block in blocks if len(block) >= 3]
    if len(whole) < FEWEST_TURNS:
        return None
    others = medians([block[1:] for block in whole])
    ratios = np.array([block[0] / other for block, other in zip(whole, others, strict=True)])
    logs = np.log(ratios)
    logs = logs[logs != 0]
    count = len(logs)
    if count < FEWEST_TURNS:
        return Turns(float(np.median(ratios)), 1.0)
    ranks = ranks_of(np.abs(logs))
    positive = float(ranks[logs > 0].sum())
    if count <= MOST_EXACT_TURNS:
        return Turns(float(np.median(ratios)), chance_of_ranks(positive, count))
    mean, variance = count * (count + 1) / 4, count * (count + 1) * (2 * count + 1) / 24
    return Turns(float(np.median(ratios)), _upper_tail((positive - mean) / math.sqrt(variance)))


@dataclass(frozen=True)
class Spread:
    """How far blocks lie apart beyond their sampling (0.01 = 1 %), and how rare that is by chance."""

    sd: float
    p_value: float


def find_spread(loads: Sequence[Blocks]) -> Spread | None:
    """Return by how much blocks differ within their loads; None where no load has two blocks of five calls.

    Kruskal and Wallis (1952), H and degrees of freedom summed over the loads, so that a level of its own for
    each load is none of a block. The deviation is of block medians, less what the calls within explain
    (pi/2 of the variance of a mean).
    """
    from scipy.special import chdtrc

    statistic, freedom, between, within = 0.0, 0, [], []
    for load in loads:
        blocks = [np.asarray(block, dtype=np.float64) for block in load if len(block) >= 5]
        if len(blocks) < 2:
            continue
        statistic += _kruskal(blocks)
        freedom += len(blocks) - 1
        levels = medians(blocks)
        center = float(np.median(levels))
        between.append((float(np.var(levels, ddof=1)) / center**2, len(blocks) - 1))
        variances = _robust_variances(blocks)
        within += [
            variance / center**2 * math.pi / 2 / len(block)
            for variance, block in zip(variances, blocks, strict=True)
        ]
    if not freedom:
        return None
    variance = sum(value * weight for value, weight in between) / freedom - float(np.mean(within))
    return Spread(math.sqrt(max(0.0, variance)), float(chdtrc(freedom, statistic)))


def _kruskal(blocks: Sequence[Any]) -> float:
    """Return H, corrected for ties; 0 where all values are equal."""
    values = np.concatenate(blocks)
    ranks, count = ranks_of(values), len(values)
    _, ties = np.unique(values, return_counts=True)
    correction = 1 - float((ties.astype(np.float64) ** 3 - ties).sum()) / (float(count) ** 3 - count)
    if correction <= 0:
        return 0.0
    sums, start = 0.0, 0
    for block in blocks:
        sums += float(ranks[start : start + len(block)].sum()) ** 2 / len(block)
        start += len(block)
    return (12 / (count * (count + 1)) * sums - 3 * (count + 1)) / correction


def ranks_of(values: Any) -> Any:
    """Return ranks from 1, equal values sharing theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[places]


def _robust_variances(blocks: Sequence[Any]) -> list[float]:
    """Return the variances of normal distributions with the blocks' quartiles: tails count for nothing."""
    return [(distance / 1.349) ** 2 for distance in quartile_ranges(blocks)]


def _upper_tail(z: float) -> float:
    return 0.5 * math.erfc(z / math.sqrt(2))
