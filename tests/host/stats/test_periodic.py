"""Slow calls in a rhythm, and without one."""

from __future__ import annotations

import numpy as np
import pytest
from rkbench.stats.periodic import find_period


def calls(slow_at: list[float], gaps: bool = False) -> tuple[list[float], list[float]]:
    """Return 30 s of calls of 10 ms, 15 ms where one covers `slow_at`; with gaps, half of the time."""
    starts, durations, clock = [], [], 0.0
    source = np.random.default_rng(8)
    while clock < 30:
        duration = 0.010 * (1 + source.normal(0, 0.005))
        duration += 0.005 * any(clock <= moment < clock + duration for moment in slow_at)
        if not (gaps and clock % 1 > 0.5):
            starts.append(clock)
            durations.append(duration)
        clock += duration
    return starts, durations


def test_the_period_is_named() -> None:
    assert find_period(*calls([0.3 + 0.977 * n for n in range(31)])) == pytest.approx(0.977, rel=0.01)


def test_slow_calls_at_random_have_no_period() -> None:
    random = sorted(np.random.default_rng(9).uniform(0, 30, 30).tolist())
    assert find_period(*calls(random)) is None


def test_turns_are_no_rhythm_of_what_comes_at_random_in_them() -> None:
    random = sorted(np.random.default_rng(10).uniform(0, 30, 60).tolist())
    assert find_period(*calls(random, gaps=True)) is None


@pytest.mark.parametrize("count", [0, 1, 100])
def test_equal_calls_have_no_period(count: int) -> None:
    assert find_period([float(n) for n in range(count)], [1.0] * count) is None
