"""Changes of a level: found where they are, and rarely where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from rkbench.stats.change import SURE, find_change, is_step


def levels(seed: int, count: int = 100, *, at: int = 0, ratio: float = 0.0, sd: float = 0.01) -> list[float]:
    """Return normal levels about 1, from place `at` on higher by `ratio`."""
    made = np.random.default_rng(seed).normal(1.0, sd, count)
    made[at:] *= 1 + ratio
    return [float(level) for level in made]


@pytest.mark.parametrize("at", [15, 30, 50, 85])
def test_a_change_beyond_the_first_tenth_is_found_where_it_is(at: int) -> None:
    for seed in range(50):
        change = find_change(levels(seed, at=at, ratio=0.05))
        assert change is not None
        assert change.matters
        assert abs(change.index - at) <= 3
        assert change.ratio == pytest.approx(0.05, abs=0.01)


def test_series_that_stay_so_seem_to_change_in_one_of_a_hundred() -> None:
    found = [find_change(levels(seed)) for seed in range(1000)]
    assert (
        sum(change is None or change.p_value < SURE for change in found) <= 20
    )  # 10 expected; the approximation is careful
    found = [find_change(levels(seed, sd=0.005)) for seed in range(300)]
    assert not any(change is None or change.matters for change in found)


def test_a_step_is_told_from_a_slope() -> None:
    slope = [1 + 0.001 * place for place in range(100)]
    for series, stepped in ((levels(1, at=30, ratio=0.1), True), (slope, False)):
        change = find_change(series)
        assert change is not None
        assert is_step(series, change) is stepped


def test_what_has_no_two_levels_has_no_change() -> None:
    assert find_change([]) is None
    assert find_change([1.0]) is None
    still = find_change([1.0] * 50)
    assert still is not None
    assert (still.ratio, still.p_value, still.matters) == (0.0, 1.0, False)
