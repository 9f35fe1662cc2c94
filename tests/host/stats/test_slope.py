"""A series that rises is told from one that does not, and from one that is too short."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from rkbench.stats.slope import NO_RISE, RISES, TOO_FEW, find_leak, find_slope


def test_a_straight_line_has_its_slope_and_no_width() -> None:
    slope = find_slope([100.0 + 4 * step for step in range(10)])
    assert (slope.judgement, slope.per_step, slope.low, slope.high) == (RISES, 4.0, 4.0, 4.0)


def test_a_constant_does_not_rise() -> None:
    slope = find_slope([5.0] * 12)
    assert (slope.judgement, slope.per_step, slope.low, slope.high) == (NO_RISE, 0.0, 0.0, 0.0)


def test_what_falls_does_not_rise() -> None:
    assert find_slope([100.0 - step for step in range(20)]).judgement == NO_RISE


def test_seven_values_are_too_few() -> None:
    slope = find_slope([float(step) for step in range(7)])
    assert (slope.judgement, slope.per_step, slope.low, slope.high) == (TOO_FEW, None, None, None)


def test_a_single_jump_is_no_leak() -> None:
    assert find_slope([10.0] * 8 + [500.0] + [10.0] * 8).judgement == NO_RISE


def test_the_interval_is_that_of_the_textbook() -> None:
    """Ten values: the variance of S is 125, so the bounds are the slopes of ranks 11.5 and 34.5 of 45."""
    slope = find_slope([1.0, 3.0, 2.0, 5.0, 4.0, 6.0, 8.0, 7.0, 10.0, 9.0])
    assert slope.judgement == RISES
    assert slope.per_step == pytest.approx(1.0)
    assert slope.low == pytest.approx(2 / 3)
    assert slope.high == pytest.approx(4 / 3)


def test_noise_without_a_trend_is_called_a_rise_about_once_in_forty() -> None:
    source = random.Random(4)
    series = ([source.gauss(0, 1) for _ in range(20)] for _ in range(400))
    assert sum(find_slope(values).judgement == RISES for values in series) <= 20


Held = Callable[[random.Random, int], list[float]]


def _noise(source: random.Random, cycles: int) -> list[float]:
    return [9e6 + source.gauss(0, 1e5) for _ in range(cycles)]


def _settling(source: random.Random, cycles: int) -> list[float]:
    return [9e6 + 2e6 * (1 - math.exp(-i / 3)) + source.gauss(0, 2e4) for i in range(cycles)]


def _one_step(source: random.Random, cycles: int) -> list[float]:
    step = source.randrange(1, cycles // 2)
    return [9e6 + 1e6 * (i >= step) + source.gauss(0, 2e4) for i in range(cycles)]


def _leaking(source: random.Random, cycles: int) -> list[float]:
    return [9e6 + 42_000 * i + source.gauss(0, 2e4) for i in range(cycles)]


@pytest.mark.parametrize(
    ("held", "cycles", "least", "most"),
    [
        (_noise, 20, 0.0, 0.05),
        (_noise, 50, 0.0, 0.05),
        (_settling, 20, 0.0, 0.2),
        (_settling, 50, 0.0, 0.05),
        (_one_step, 20, 0.0, 0.05),
        (_one_step, 50, 0.0, 0.05),
        (_leaking, 20, 0.99, 1.0),
        (_leaking, 50, 0.99, 1.0),
    ],
)
def test_a_leak_is_seen_and_what_settles_or_scatters_is_none(
    held: Held, cycles: int, least: float, most: float
) -> None:
    source = random.Random(3588)
    found = [find_leak(held(source, cycles)).judgement == RISES for _ in range(400)]
    assert least <= sum(found) / len(found) <= most


def test_less_than_a_page_a_cycle_is_no_leak() -> None:
    assert find_leak([9e6 + 1000.0 * i for i in range(20)]).judgement == NO_RISE
    assert find_leak([9e6 + 4096.0 * i for i in range(20)]).judgement == RISES
