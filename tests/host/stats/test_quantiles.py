"""Percentiles: what count carries them, and bounds against the order statistics of independent calls."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from rkbench.stats.clusters import clusters_of
from rkbench.stats.quantiles import calls_for, quantiles
from scipy.stats import binom

LOADGEN = Path(__file__).with_name("loadgen_counts.py")


@pytest.mark.parametrize(("percent", "count"), [(50, 1), (90, 64), (95, 130), (99, 662), (99.9, 6636)])
def test_a_percentile_needs_as_many_calls_as_loadgen_asks_for(percent: float, count: int) -> None:
    assert calls_for(percent) == count


@pytest.mark.skipif(find_spec("mlperf_loadgen") is None, reason="LoadGen is built for x86_64 Linux alone")
@pytest.mark.parametrize("percent", [90, 95, 99, 99.9])
def test_loadgen_itself_refuses_one_call_less(percent: float, tmp_path: Path) -> None:
    for count, answer in ((calls_for(percent) - 1, "NO"), (calls_for(percent), "Yes")):
        command = [sys.executable, str(LOADGEN), str(count), str(percent), str(tmp_path)]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        assert f"Early stopping satisfied: {answer}" in told


def test_below_that_count_it_is_none() -> None:
    blocks = [[1.0 + index / 1000 for index in range(33)] for _ in range(20)]
    p50, p99 = quantiles(clusters_of([blocks]), [50.0, 99.0])
    assert (p50.value, p99.value, p99.low, p99.count, p99.needed) == (1.016, None, None, 660, 662)


def test_few_blocks_have_a_value_and_no_bounds() -> None:
    (p50,) = quantiles(clusters_of([[[1.0, 2.0, 3.0]] * 11]), [50.0])
    assert (p50.value, p50.low, p50.high) == (2.0, None, None)
    (p50,) = quantiles(clusters_of([[[1.0, 2.0, 3.0]] * 12]), [50.0])
    assert (p50.low, p50.high) != (None, None)


def test_independent_calls_have_hardly_wider_bounds_than_their_order_statistics() -> None:
    source = np.random.default_rng(11)
    ratios = []
    for _ in range(60):
        calls = np.exp(source.normal(0, 0.02, (20, 50)))
        (p90,) = quantiles(clusters_of([list(calls)]), [90.0])
        assert p90.low is not None and p90.high is not None
        ordered = np.sort(calls.ravel())
        low, high = ordered[int(binom.ppf(0.025, 1000, 0.9)) - 1], ordered[int(binom.ppf(0.975, 1000, 0.9))]
        ratios.append((p90.high - p90.low) / (high - low))
    assert 1.0 < float(np.mean(ratios)) < 1.25


def test_a_bound_beyond_what_was_seen_is_none() -> None:
    source = np.random.default_rng(2)
    levels = np.exp(source.normal(0, 0.05, 20))
    blocks = [level * np.exp(source.normal(0, 0.01, 50)) for level in levels]
    (p99,) = quantiles(clusters_of([blocks]), [99.0])
    assert p99.low is not None
    assert p99.high is None


def test_of_several_loads_the_load_is_the_unit_of_which_six_are_needed() -> None:
    source = np.random.default_rng(3)
    loads = [
        list(level * np.exp(source.normal(0, 0.02, (4, 50)))) for level in (1, 1.02, 0.99, 1.01, 0.98, 1)
    ]
    (of_loads,), (of_five,) = (quantiles(clusters_of(given), [90.0]) for given in (loads, loads[:5]))
    (of_blocks,) = quantiles(clusters_of([[block for load in loads for block in load]]), [90.0])
    assert (of_five.low, of_five.high) == (None, None)
    assert of_loads.value == of_blocks.value
    assert of_loads.low is not None and of_loads.high is not None
    assert of_blocks.low is not None and of_blocks.high is not None
    assert of_loads.high - of_loads.low > 1.5 * (of_blocks.high - of_blocks.low)
