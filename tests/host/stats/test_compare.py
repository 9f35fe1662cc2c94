"""Faster, slower, no difference, too few: on blocks whose truth is known."""

from __future__ import annotations

import random

import pytest
from rkbench.stats.compare import LatencyDifference, compare_latencies, difference_percent


def blocks(
    median: float, count: int = 8, size: int = 50, seed: int = 1, drift: float = 0.0
) -> list[list[float]]:
    """Return blocks of latencies around `median`, 1 % wide; every block lies `drift` above the last."""
    source = random.Random(seed)
    return [
        [median * (1 + drift * index) * source.gauss(1, 0.01) for _ in range(size)] for index in range(count)
    ]


@pytest.mark.parametrize(
    ("factor", "judgement"),
    [(0.8, "faster"), (1.25, "slower"), (1.0, "no difference"), (1.004, "no difference")],
)
def test_the_word_fits_the_truth(factor: float, judgement: str) -> None:
    found = compare_latencies(blocks(1000), blocks(1000 * factor, seed=2))
    assert found.judgement == judgement
    assert found.difference_percent == pytest.approx((factor - 1) * 100, abs=0.3)


def test_the_interval_holds_the_truth() -> None:
    found = compare_latencies(blocks(1000), blocks(900, seed=2))
    assert found.low_percent is not None
    assert found.high_percent is not None
    assert found.low_percent < -10 < found.high_percent
    assert found.high_percent - found.low_percent < 1


def test_a_drift_larger_than_the_difference_is_no_difference() -> None:
    """Thousands of iterations cannot make up for a clock that wanders from block to block."""
    wandering = blocks(1000, size=500, drift=0.05)
    found = compare_latencies(wandering, [[value * 1.03 for value in block] for block in wandering[::-1]])
    assert found.judgement == "no difference"


def test_few_blocks_are_cut_into_segments() -> None:
    assert compare_latencies(blocks(1000, count=2), blocks(500, count=2, seed=2)).judgement == "faster"


def test_thousands_of_blocks_are_joined_with_their_neighbours() -> None:
    found = compare_latencies(blocks(1000, count=3000, size=4), blocks(950, count=3000, size=4, seed=2))
    assert found.judgement == "faster"
    assert found.difference_percent == pytest.approx(-5, abs=0.1)


def test_too_few_iterations_are_called_so() -> None:
    found = compare_latencies(blocks(1000, count=1, size=50), blocks(500, count=1, size=50))
    assert found == LatencyDifference("too few iterations", None, None, None)
    assert compare_latencies([], []).judgement == "too few iterations"


def test_the_same_data_give_the_same_answer() -> None:
    base, other = blocks(1000), blocks(970, seed=3)
    assert compare_latencies(base, other) == compare_latencies(base, other)


@pytest.mark.parametrize(
    ("baseline", "candidate", "percent"),
    [(200, 150, -25.0), (0.5, 0.75, 50.0), (None, 1, None), (1, None, None), (0, 1, None), (0, 0, 0.0)],
)
def test_differences_are_percent_of_the_baseline(
    baseline: float | None, candidate: float | None, percent: float | None
) -> None:
    assert difference_percent(baseline, candidate) == percent
