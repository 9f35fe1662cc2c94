"""Heaps of latencies: named where they are clearly apart, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from rkbench.stats.modes import find_modes


def test_two_heaps_are_named_with_their_share_and_value() -> None:
    found = find_modes([100 + i % 3 for i in range(60)] + [150 + i % 3 for i in range(40)])
    assert [(mode.value, mode.share, mode.low, mode.high) for mode in found] == [
        (101, 0.6, 100, 102),
        (151, 0.4, 150, 152),
    ]


def test_three_equal_heaps_are_three() -> None:
    source = np.random.default_rng(1)
    values = np.concatenate([source.normal(level, 0.01, 300) for level in (1.0, 1.15, 1.3)])
    found = find_modes(source.permutation(values).tolist())
    assert [round(mode.value, 2) for mode in found] == [1.0, 1.15, 1.3]


@pytest.mark.parametrize(
    "values",
    [
        [100 + i % 7 for i in range(100)],  # one heap
        [100 + i % 3 for i in range(95)] + [300] * 5,  # a tail of a twentieth
        [100] * 50 + [101] * 50,  # two heaps one percent apart
        [100] * 5 + [200] * 5,  # too few to say
        [100] * 100,
        np.random.default_rng(2).lognormal(0, 0.1, 1000).tolist(),
        np.random.default_rng(3).uniform(1, 2, 1000).tolist(),
        (1 + np.random.default_rng(4).pareto(3, 1000)).tolist(),
        [],
    ],
)
def test_what_is_one_heap(values: list[float]) -> None:
    assert find_modes(values) == ()
