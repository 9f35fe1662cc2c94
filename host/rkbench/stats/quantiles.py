"""Percentiles of a run's calls, each with bounds that hold although the calls of a block are alike.

The bounds invert the share of calls at or below a value (Woodruff 1952) with the blocks as clusters; the
number of calls is made smaller by the design effect, and the share's interval is Clopper and Pearson's
with that effective number (Korn and Graubard 1998). A percentile that the count cannot carry is None: the
counts are LoadGen's (MLPerf, early stopping at 99 %), under which its estimate would be refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: What a run's latencies are summarised by.
PERCENTS = (50.0, 90.0, 95.0, 99.0, 99.9)
CONFIDENCE = 0.95
#: Blocks that an interval needs: fewer do not show how much blocks differ.
FEWEST_BLOCKS = 12
FEWEST_BLOCKS_OF_TAIL = 20
#: From here on a percentile is of the tail, whose interval needs more.
TAIL_PERCENT = 99.0
FEWEST_CALLS_OF_TAIL = 1000
#: LoadGen's confidence that at most 1 - p of the calls are slower than what it reports.
EARLY_STOPPING_CONFIDENCE = 0.99


@dataclass(frozen=True)
class Quantile:
    """One percentile, in the unit of the values.

    `value` is None below `needed` calls; `low` and `high` bound the true percentile with 95 %, None where
    the blocks or calls are too few to say, or the bound lies beyond what was seen.
    """

    percent: float
    value: float | None
    low: float | None
    high: float | None
    count: int
    needed: int


def quantiles(blocks: Sequence[Sequence[float]], percents: Sequence[float] = PERCENTS) -> list[Quantile]:
    """Return the percentiles of all calls of `blocks`, with intervals; empty blocks count for nothing."""
    import numpy as np  # not at the top: a help page and an inspection need none

    columns = [np.asarray(block, dtype=np.float64) for block in blocks if len(block)]
    if not columns:
        return [Quantile(percent, None, None, None, 0, calls_for(percent)) for percent in percents]
    ordered = np.concatenate(columns)
    ordered.sort()
    return [_quantile(percent, columns, ordered) for percent in percents]


def calls_for(percent: float) -> int:
    """Return the fewest calls whose percentile LoadGen reports: 64 for p90, 662 for p99, 6,636 for p99.9.

    The smallest n of which at least one may be overlooked: P(Binomial(n, 1 - p) <= 1) <= 1 - 0.99. The
    median and all below 90 % need no such proof: 1.
    """
    if percent < 90:
        return 1
    share = 1 - percent / 100
    count = 2
    while _at_most_one(count, share) > 1 - EARLY_STOPPING_CONFIDENCE:
        count += max(1, count // 4096)
    return count


def _at_most_one(count: int, share: float) -> float:
    return math.exp(count * math.log1p(-share)) + count * share * math.exp((count - 1) * math.log1p(-share))


def _quantile(percent: float, columns: list[NDArray[np.float64]], ordered: NDArray[np.float64]) -> Quantile:
    import numpy as np

    count, needed = len(ordered), calls_for(percent)
    if count < needed:
        return Quantile(percent, None, None, None, count, needed)
    value = float(np.percentile(ordered, percent))
    low, high = _bounds(percent / 100, value, columns, ordered)
    return Quantile(percent, value, low, high, count, needed)


def _bounds(
    share: float, value: float, columns: list[NDArray[np.float64]], ordered: NDArray[np.float64]
) -> tuple[float | None, float | None]:
    is_tail = share * 100 >= TAIL_PERCENT
    fewest_blocks = FEWEST_BLOCKS_OF_TAIL if is_tail else FEWEST_BLOCKS
    count = len(ordered)
    if len(columns) < fewest_blocks or (is_tail and count < FEWEST_CALLS_OF_TAIL):
        return None, None
    effective = _effective_count(share, value, columns, count)
    from scipy.special import betaincinv

    tail = (1 - CONFIDENCE) / 2
    hits = share * effective
    low_share = float(betaincinv(hits, effective - hits + 1, tail))
    high_share = float(betaincinv(hits + 1, effective - hits, 1 - tail))
    low = float(ordered[max(0, math.floor(low_share * count) - 1)])
    at = math.ceil(high_share * (count + 1)) - 1
    return low, float(ordered[at]) if at < count else None


def _effective_count(share: float, value: float, columns: list[NDArray[np.float64]], count: int) -> float:
    """Return how many independent calls the blocks are worth (Korn and Graubard 1998)."""
    import numpy as np
    from scipy.special import ndtri, stdtrit

    blocks = len(columns)
    below = np.array([np.count_nonzero(column <= value) / len(column) for column in columns])
    alone = share * (1 - share) / count
    design_effect = max(1.0, float(below.var(ddof=1)) / blocks / alone)
    tail = 1 - (1 - CONFIDENCE) / 2
    return count / design_effect * float(ndtri(tail) / stdtrit(blocks - 1, tail)) ** 2
