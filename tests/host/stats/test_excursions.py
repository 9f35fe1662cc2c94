"""Calls of a queue: which of them wait for none, and between what their percentiles lie."""

from __future__ import annotations

import random

import numpy as np
import pytest
from rkbench.stats.clusters import BUSY_PERIOD, Clusters, clusters_of, waits_for_none
from rkbench.stats.quantiles import Quantile, quantiles


def served(
    contexts: int, load: float, seed: int, count: int = 300
) -> tuple[list[int], list[int], list[bool]]:
    """Return when calls were due, how long they took from there, and which found a context free."""
    chance, due, free = random.Random(seed), 0, [0] * contexts
    dues, durations, found = [], [], []
    for _ in range(count):
        due += round(chance.expovariate(load * contexts / 1000))
        context = free.index(min(free))
        found.append(free[context] <= due)
        free[context] = max(free[context], due) + chance.randint(500, 1500)
        dues.append(due)
        durations.append(free[context] - due)
    return dues, durations, found


@pytest.mark.parametrize("contexts", [1, 2, 3])
@pytest.mark.parametrize("load", [0.2, 0.7, 1.2])
def test_who_waits_is_told_by_those_under_way(contexts: int, load: float) -> None:
    for seed in range(5):
        due, durations, free = served(contexts, load, seed)
        assert waits_for_none(np.array(due), np.array(durations), contexts).tolist() == free


def of_periods(periods: list[list[float]], percent: float = 99.0) -> Quantile:
    (found,) = quantiles(clusters_of([periods], BUSY_PERIOD), [percent])
    return found


#: Nine hundred and sixty calls that waited for none.
ALONE = [[1.0]] * 960


def test_forty_slow_calls_bound_a_p99_only_where_they_came_apart() -> None:
    apart = of_periods(ALONE + [[5.0]] * 40)
    together = of_periods([*ALONE, [5.0] * 40])
    assert (apart.value, apart.low, apart.high) == (5.0, 5.0, 5.0)
    assert (together.value, together.low, together.high) == (5.0, 1.0, None)


def test_an_excursion_that_was_not_seen_may_be_as_large_as_the_largest() -> None:
    """Nothing lies above 5, and one more excursion of eight calls might: that is 30 calls, where 10 may."""
    eights = of_periods(ALONE + [[5.0] * 8] * 5)
    ones = of_periods(ALONE + [[1.0] * 7 + [5.0]] * 5 + [[5.0]] * 20)
    assert (eights.value, eights.high) == (5.0, None)
    assert (ones.value, ones.high) == (5.0, 5.0)


def test_busy_periods_are_a_unit_of_their_own() -> None:
    found = clusters_of([[[1.0, 2.0], [1.0]]], BUSY_PERIOD)
    assert (found.unit, found.count, len(found.groups)) == ("busy period", 3, 2)
    assert isinstance(found, Clusters)


def test_few_busy_periods_have_a_value_and_no_bounds() -> None:
    found = of_periods([[1.0] * 100] * 10)
    assert (found.value, found.low, found.high) == (1.0, None, None)
