"""By how much a latency figure differs between two nights, and within what bounds.

p50 is compared as `stats.compare` does it: means of block medians. The mean takes the blocks' means. p90
and p99 belong to the whole run, so whole blocks are drawn anew and their iterations pooled.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import chain

from rkbench.stats.compare import (
    MINIMUM_UNITS,
    RESAMPLES,
    SEED,
    compare_latencies,
    resampling_units,
)
from rkbench.stats.summary import P99_MINIMUM_COUNT, percentile

#: Fewer than for p50: each sorts all iterations.
TAIL_RESAMPLES = 400


class Statistic(Enum):
    """A figure of a run's latencies that an interval can be given for."""

    MEAN = "mean"
    P50 = "p50"
    P90 = "p90"
    P99 = "p99"


_PERCENT = {Statistic.P90: 90.0, Statistic.P99: 99.0}


@dataclass(frozen=True)
class Interval:
    """By how many percent the candidate lies above (+) the baseline; `low` to `high` with 95 %."""

    difference_percent: float
    low_percent: float
    high_percent: float


def latency_interval(
    statistic: Statistic, baseline: Sequence[Sequence[float]], candidate: Sequence[Sequence[float]]
) -> Interval | None:
    """Return the interval of `statistic`; None where there are too few iterations."""
    if statistic is Statistic.P50:
        found = compare_latencies(baseline, candidate)
        if found.difference_percent is None or found.low_percent is None or found.high_percent is None:
            return None
        return Interval(found.difference_percent, found.low_percent, found.high_percent)
    bases, candidates = resampling_units(baseline), resampling_units(candidate)
    if min(len(bases), len(candidates)) < MINIMUM_UNITS:
        return None
    if statistic is Statistic.P99 and min(_count(bases), _count(candidates)) < P99_MINIMUM_COUNT:
        return None
    return _resampled(statistic, bases, candidates)


def _resampled(
    statistic: Statistic, bases: Sequence[Sequence[float]], candidates: Sequence[Sequence[float]]
) -> Interval:
    source = random.Random(SEED)
    count = RESAMPLES if statistic is Statistic.MEAN else TAIL_RESAMPLES
    if statistic is Statistic.MEAN:
        bases, candidates = [[_mean(unit)] for unit in bases], [[_mean(unit)] for unit in candidates]
    ratios = sorted(
        _above(
            _figure(statistic, source.choices(bases, k=len(bases))),
            _figure(statistic, source.choices(candidates, k=len(candidates))),
        )
        for _ in range(count)
    )
    difference = _above(_figure(statistic, bases), _figure(statistic, candidates))
    return Interval(difference, percentile(ratios, 2.5), percentile(ratios, 97.5))


def _figure(statistic: Statistic, units: Sequence[Sequence[float]]) -> float:
    pooled = list(chain.from_iterable(units))
    return _mean(pooled) if statistic is Statistic.MEAN else percentile(sorted(pooled), _PERCENT[statistic])


def _above(baseline: float, candidate: float) -> float:
    return (candidate - baseline) / baseline * 100


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _count(units: Sequence[Sequence[float]]) -> int:
    return sum(len(unit) for unit in units)
