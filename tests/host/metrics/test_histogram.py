"""The buckets of the latencies: what `histogram_quantile` makes of them, and how many there are."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rkbench.metrics.histogram import BOUNDS_S, COARSE_S, Bucket, cumulative_buckets

LATENCIES = st.lists(st.integers(100_001, 10_000_000_000), min_size=1, max_size=300)
NARROW = st.builds(
    lambda median, shares: [round(median * (1 + share)) for share in shares],
    st.integers(200_000, 5_000_000_000),
    st.lists(st.floats(-0.05, 0.3), min_size=1, max_size=300),
)


def histogram_quantile(share: float, buckets: list[Bucket]) -> float:
    """Return what the function of PromQL does of classic buckets: a straight line within the bucket."""
    rank = share * buckets[-1].count
    index = next(i for i, bucket in enumerate(buckets[:-1]) if bucket.count >= rank)
    low, below = (float(buckets[index - 1].bound), buckets[index - 1].count) if index else (0.0, 0.0)
    high, there = float(buckets[index].bound), buckets[index].count
    return low + (high - low) * (rank - below) / (there - below)


@given(LATENCIES | NARROW, st.sampled_from([0.5, 0.9, 0.99, 0.999]))
def test_a_quantile_of_the_histogram_is_within_a_tenth_of_the_latency(
    latencies: list[int], share: float
) -> None:
    true_s = sorted(latencies)[math.ceil(share * len(latencies)) - 1] / 1e9
    found = histogram_quantile(share, cumulative_buckets(latencies))
    assert abs(found / true_s - 1) < 0.1


@given(LATENCIES | NARROW)
def test_the_buckets_are_bounded_in_number_and_the_coarse_ones_are_always_there(latencies: list[int]) -> None:
    buckets = cumulative_buckets(latencies)
    assert len(buckets) <= 132
    assert {float(bucket.bound) for bucket in buckets} >= COARSE_S
    span = max(latencies) / min(latencies)
    assert len(buckets) <= 17 + math.log(span) / math.log(1.08) + 3
    for bucket in buckets:
        assert bucket.count == sum(latency <= float(bucket.bound) * 1e9 for latency in latencies)
    for below, bucket in pairwise([None, *buckets]):
        assert bucket is not None
        if bucket.example_s is not None:
            assert (float(below.bound) if below else 0) < bucket.example_s <= float(bucket.bound)


def test_no_step_is_wider_than_stated() -> None:
    assert max(high / low for low, high in pairwise(BOUNDS_S)) < 1.1
    assert (BOUNDS_S[0], BOUNDS_S[-1], len(COARSE_S)) == (0.0001, 10.0, 16)


def test_a_narrow_run_has_few_buckets_and_its_p99_is_no_guess() -> None:
    buckets = cumulative_buckets([1_000_000] * 980 + [1_012_000] * 20)
    fine = [
        bucket.bound for bucket in buckets if bucket.bound != "+Inf" and float(bucket.bound) not in COARSE_S
    ]
    assert fine == ["0.000917", "0.00109"]
    assert histogram_quantile(0.99, buckets) == pytest.approx(0.001045)


def test_latencies_beyond_the_bounds_are_counted() -> None:
    counts = {bucket.bound: bucket.count for bucket in cumulative_buckets([5_000, 20_000_000_000])}
    assert (counts["0.0001"], counts["10.0"], counts["+Inf"]) == (1, 1, 2)
    assert {bucket.count for bucket in cumulative_buckets([])} == {0}
