"""Changes of a level: found where they are, and rarely where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from rkbench.stats.change import SURE, find_apart, find_change, is_step


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


@pytest.mark.parametrize("count", [20, 30, 60, 100])
def test_of_series_that_stay_so_hardly_any_has_levels_apart(count: int) -> None:
    for sd in (0.005, 0.01, 0.03, 0.1):
        assert sum(find_apart(levels(seed, count, sd=sd)) is not None for seed in range(1000)) <= 20
    skewed = [np.random.default_rng(seed).gamma(2, 0.05, (count, 9)) for seed in range(1000)]
    assert sum(find_apart([1 + float(np.median(part)) for part in made]) is not None for made in skewed) <= 20


@pytest.mark.parametrize("count", [20, 60, 100, 720])
@pytest.mark.parametrize("ratio", [0.5, 0.8, -0.4])
def test_levels_that_lie_apart_are_found_wherever_they_stand(count: int, ratio: float) -> None:
    """At an end, in the middle and back, and in turns: no two levels describe these."""
    edge = max(3, round(0.07 * count))
    middle = slice(round(0.35 * count), round(0.65 * count))
    for place in (slice(count - edge, count), slice(0, edge), middle, slice(1, count, 2)):
        for seed in range(10):
            made = np.array(levels(seed, count))
            made[place] *= 1 + ratio
            found = find_apart([float(level) for level in made])
            assert found is not None
            if place.step is None:  # of two states that take turns either may be the level
                assert {*found.places} >= {*range(count)[place]}
                assert count == 20 or len(found.places) == len(range(count)[place])
                assert found.ratio == pytest.approx(ratio, abs=0.1)


def test_two_levels_apart_are_a_hiccup_and_few_levels_have_none() -> None:
    made = levels(1)
    for at in (30, 31):
        made[at] *= 2
    assert find_apart(made) is None
    made[32] *= 2
    assert find_apart(made) is not None
    assert find_apart([1.0] * 14 + [2.0] * 5) is None
    assert find_apart([1.0] * 100) is None


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
