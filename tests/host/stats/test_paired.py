"""The word of a paired difference, at the edges of the smallest effect of interest."""

from __future__ import annotations

import math

import pytest
from rkbench.stats.paired import block_level, paired_difference


@pytest.mark.parametrize(
    ("percent", "word"),
    [(-1.99, "no difference"), (1.99, "no difference"), (-2.01, "faster"), (2.01, "slower")],
)
def test_the_zone_of_no_difference_is_the_effect_in_percent_on_both_sides(percent: float, word: str) -> None:
    loads = [[math.log1p((percent + step * 0.0001) / 100)] * 2 for step in range(-3, 4)]
    assert paired_difference(loads).judgement == word


def test_a_block_with_a_call_of_no_time_has_no_level() -> None:
    assert [block_level(block) for block in ([1.0, 1.0], [1.0, 0.0], [-1.0])] == [0.0, None, None]
