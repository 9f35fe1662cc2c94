"""Boards of one kind: what varies between them, and which is odd."""

from __future__ import annotations

import math

import pytest
from rkbench.stats.boards import board_variance, distance, odd_boards, two_boards

FIVE = {"a": 0.0, "b": 0.004, "c": -0.004, "d": 0.002, "e": math.log(1.06)}


def test_the_board_that_is_6_percent_off_is_named() -> None:
    assert odd_boards(FIVE) == ("e",)
    assert distance(FIVE, "e") == pytest.approx(0.06, abs=0.002)


def test_of_two_boards_none_is_named() -> None:
    assert odd_boards({"a": 0.0, "e": 0.5}) == ()


def test_what_nobody_minds_is_not_named() -> None:
    assert odd_boards({name: level / 6 for name, level in FIVE.items()}) == ()
    assert odd_boards({name: level / 6 for name, level in FIVE.items()}, effect=0.005) == ("e",)


def test_equal_boards_have_no_odd_one() -> None:
    assert odd_boards(dict.fromkeys("abcde", 1.0)) == ()


def test_two_odd_ones_of_eight_do_not_hide_each_other() -> None:
    levels = {name: 0.003 * (place % 3 - 1) for place, name in enumerate("abcdef")}
    assert odd_boards(levels | {"x": 0.06, "y": 0.065}) == ("x", "y")


def test_the_parts_of_the_variance_are_told_apart() -> None:
    boards = [
        [[[board + run + block for block in (-0.01, 0.01)]] * 2 for run in (-0.02, 0.02)]
        for board in (-0.1, 0.0, 0.1)
    ]
    found = board_variance(boards)
    assert found.block == pytest.approx(0.01155, abs=1e-4)
    assert found.run == pytest.approx(math.sqrt(0.0008), abs=1e-4)
    assert found.board == pytest.approx(math.sqrt(0.01 - 0.0004), abs=1e-4)
    assert found.board_low is not None and found.board_high is not None
    assert found.board_low < 0.1 < found.board_high


def test_of_one_run_each_nothing_is_said_of_runs() -> None:
    found = board_variance([[[[level, level + 0.01]]] for level in (0.0, 0.1)])
    assert found.run is None
    assert found.board == pytest.approx(0.0705, abs=1e-3)


def test_two_boards_differ_by_what_their_runs_show() -> None:
    one = [[[level]] for level in (0.0, 0.001, -0.001)]
    other = [[[level + math.log(1.06)]] for level in (0.0, 0.001, -0.001)]
    found = two_boards(one, other)
    assert found.difference == pytest.approx(0.06)
    assert found.low == pytest.approx(0.0576, abs=1e-3)
    assert two_boards(one[:1], other).low is None
