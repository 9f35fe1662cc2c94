"""Notes below a table: what many runs share is said once."""

from __future__ import annotations

from dataclasses import replace

from made_runs import collected, make_run
from rkbench.boards.model import Board
from rkbench.campaign import compare_collected
from rkbench.results.across_boards import AcrossBoards, BoardLevel
from rkbench.results.side_words import odd_sentence
from rkbench.views.boards import board_lines
from rkbench.views.push.notes import warnings_of


def test_a_condition_under_which_all_others_differ_is_one_line() -> None:
    items = [collected(make_run(number, f"net-{number}")) for number in range(1, 5)]
    for place in (1, 2, 3):
        run = items[place].run
        items[place] = replace(items[place], run=replace(run, plan=replace(run.plan, core_mask="0")))
    runs = [item.run for item in items]
    told = [line for line in warnings_of(runs, compare_collected(items)) if "core" in line]
    assert told == ["all 3 others: core_mask is 0, the baseline's auto"]


def test_runs_that_are_not_compared_for_one_reason_are_one_line() -> None:
    items = [collected(make_run(number, f"net-{number}")) for number in range(1, 5)]
    for place in (2, 3):
        items[place] = replace(items[place], run=replace(items[place].run, simulated=True))
    runs = [item.run for item in items]
    (told,) = [line for line in warnings_of(runs, compare_collected(items)) if "not compared" in line]
    assert told == "net-3, net-4 are not compared: simulated differs: yes, baseline no"


def test_columns_of_boards_are_as_wide_as_what_is_in_them() -> None:
    boards = [Board("desk", "10.0.0.7", soc="rk3588"), Board("a-long-name", "192.168.100.200")]
    assert board_lines([(boards[0], "free"), (boards[1], "no answer: timed out")]) == [
        "desk         rk3588  10.0.0.7         free",
        "a-long-name  –       192.168.100.200  no answer: timed out",
    ]
    assert board_lines([]) == []


def test_two_boards_that_read_alike_are_not_faster_than_each_other() -> None:
    levels = tuple(BoardLevel(name, (name,), 0.002, percent) for name, percent in (("a", 0.01), ("b", -0.01)))
    found = AcrossBoards("net", "", "rk3588", "lite", "auto", False, levels, None, None, None, None, None)
    assert odd_sentence(found).startswith("a and b lie 0.0 % apart, of one run each")
