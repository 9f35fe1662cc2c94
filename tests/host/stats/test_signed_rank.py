"""The exact interval of signed ranks, against published ranks and scipy's own test."""

from __future__ import annotations

import random
from itertools import accumulate, combinations_with_replacement

import pytest
from rkbench.stats.signed_rank import fewest_differences, shift_of
from scipy.stats import wilcoxon


@pytest.mark.parametrize(("count", "rank"), [(6, 1), (7, 3), (12, 14), (20, 53)])  # qsignrank(0.025, n) of R
def test_the_bounds_are_the_walsh_averages_of_the_published_rank(count: int, rank: int) -> None:
    differences = [float(2**index) for index in range(count)]
    averages = sorted((differences[i] + differences[j]) / 2 for i in range(count) for j in range(i, count))
    found = shift_of(differences, 0.95)
    assert (found.low, found.high) == (averages[rank - 1], averages[-rank])


@pytest.mark.parametrize("confidence", [0.95, 1 - 0.05 / 3, 0.5])
def test_the_rank_is_that_of_counting_every_set_of_ranks(confidence: float) -> None:
    sums = [1]  # at w: how many sets of the ranks so far sum to w
    for count in range(1, 61):
        sums = [a + b for a, b in zip(sums + [0] * count, [0] * count + sums, strict=True)]
        allowed = (1 - confidence) / 2 * 2**count * (1 + 1e-12)
        rank = next(w for w, below in enumerate(accumulate(sums)) if below > allowed)
        found = shift_of(differences := [float(2**index) for index in range(count)], confidence)
        averages = sorted((one + two) / 2 for one, two in combinations_with_replacement(differences, 2))
        assert found.low == (averages[rank - 1] if rank else None)


def test_five_differences_carry_no_interval_of_95_percent_and_six_do() -> None:
    assert shift_of([1.0, 2.0, 3.0, 4.0, 5.0], 0.95).low is None
    assert shift_of([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 0.95).low == 1.0
    assert (fewest_differences(0.95), fewest_differences(1 - 0.05 / 12)) == (6, 9)


def test_the_interval_excludes_zero_exactly_where_the_exact_test_rejects() -> None:
    source = random.Random(7)
    agreed = {True: 0, False: 0}
    for _ in range(200):
        differences = [source.gauss(0.5, 1.0) for _ in range(12)]
        found = shift_of(differences, 0.95)
        assert found.low is not None and found.high is not None
        rejects = bool(wilcoxon(differences, method="exact").pvalue <= 0.05)
        assert (found.low > 0 or found.high < 0) == rejects
        agreed[rejects] += 1
    assert min(agreed.values()) > 20


def test_the_estimate_is_the_median_of_the_walsh_averages() -> None:
    assert shift_of([1.0, 2.0, 9.0], 0.95).estimate == 3.5  # of 1, 1.5, 2, 5, 5.5, 9
