"""The levels of blocks: drifts, starts, turns, differences; against values worked out by hand or by scipy."""

from __future__ import annotations

import numpy as np
import pytest
from rkbench.stats.levels import (
    block_levels,
    find_drift,
    find_slow_turns,
    find_spread,
    find_start,
    relative_deviation,
    without_drift,
)


def test_a_level_is_a_median_and_many_blocks_are_joined() -> None:
    assert block_levels([[1, 2, 9], [4]]) == [2, 4]
    assert len(block_levels([[1.0, 2.0]] * 1000)) == 112
    assert block_levels([]) == []


def test_a_straight_drift_is_found_whole_and_taken_out() -> None:
    levels = [100 + step / 2 for step in range(11)]
    drift = find_drift(levels)
    assert drift is not None
    assert (drift.ratio, drift.low) == (pytest.approx(5 / 102.5), pytest.approx(5 / 102.5))
    assert without_drift(levels, drift) == pytest.approx([100] * 11)
    assert find_drift(levels[:5]) is None


def test_the_start_is_held_against_the_second_half() -> None:
    blocks = [[15] * 10 + [10] * 10, [14] * 20, [10] * 20, [12] * 20]
    found = find_start(blocks, 0.02)
    assert found is not None
    assert (found.ratio, found.blocks) == (15 / 12, 2)
    assert find_start([[15] * 10], 0.02) is None


def test_a_slow_first_call_of_each_block_is_found_by_signed_ranks() -> None:
    source = np.random.default_rng(5)
    fair = [(1 + source.normal(0, 0.01, 20)).tolist() for _ in range(40)]
    slow = [[block[0] * 1.2, *block[1:]] for block in fair]
    found, healthy = find_slow_turns(slow), find_slow_turns(fair)
    assert found is not None and healthy is not None
    assert (found.ratio, found.p_value) == (pytest.approx(1.2, abs=0.01), pytest.approx(0, abs=1e-6))
    assert healthy.p_value > 0.01
    twelve = find_slow_turns(slow[:12])
    assert twelve is not None
    assert twelve.p_value == pytest.approx(2**-12)  # all of twelve, as a push alone has them
    assert find_slow_turns(slow[:11]) is None


def test_the_statistic_is_that_of_kruskal_and_wallis() -> None:
    """0.0896... is what scipy.stats.kruskal says of them (scipy 1.17)."""
    source = np.random.default_rng(6)
    blocks = [source.normal(10, 1, 20).round(1).tolist() for _ in range(7)]
    found = find_spread([blocks])
    assert found is not None
    assert found.p_value == pytest.approx(0.08966600385024023)


def test_blocks_that_lie_apart_do_so_by_their_deviation_but_loads_are_none_of_it() -> None:
    source = np.random.default_rng(7)
    levels = [1 + source.normal(0, 0.02) for _ in range(200)]
    found = find_spread([[(level * (1 + source.normal(0, 0.01, 20))).tolist() for level in levels]])
    assert found is not None
    assert (found.sd, found.p_value) == (pytest.approx(float(np.std(levels)), rel=0.05), 0)
    loads = [[(level * (1 + source.normal(0, 0.01, 20))).tolist() for _ in range(4)] for level in levels[:8]]
    healthy = find_spread(loads)
    assert healthy is not None
    assert healthy.p_value > 0.01
    assert find_spread([[[1.0] * 20], [[2.0] * 20]]) is None


def test_equal_levels_have_no_deviation() -> None:
    assert (relative_deviation([5, 5, 5]), relative_deviation([5])) == (0, 0)
    assert relative_deviation([9, 10, 11]) == 0.1
