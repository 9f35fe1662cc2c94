"""Whether a level wanders from block to block."""

from __future__ import annotations

import pytest
from rkbench.stats.serial import serial_z, wanders


@pytest.mark.parametrize("count", [12, 14, 24, 40])
def test_equal_levels_wander_nowhere_whatever_their_mean_is_rounded_to(count: int) -> None:
    levels = [0.0001 + step * 1.7e-7 for step in range(300)]
    assert [level for level in levels if serial_z([level] * count) != 0] == []
    assert not any(wanders([[level] * 20] * count) for level in levels)


def test_a_level_that_creeps_wanders() -> None:
    assert wanders([[0.002 + 1e-9 * step] * 20 for step in range(12)])
