"""Notes below a table: what many runs share is said once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
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
    assert told == ["all 3 others: core mask is 0, the baseline's auto"]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"provenance": {"outputs": "computed"}}, "source of the outputs is rkbench's NPU model"),
        ({"board": {"runtime_version": "2.4.0"}}, "version of the runtime is 2.4.0, the baseline's 2.3.2"),
        ({"board": {"npu_clock_hz": 600_000_000}}, "NPU clock is 600 MHz, the baseline's 1.00 GHz"),
        ({"board": {"agent_digest": "b" * 64}}, "agent is bbbbbbbbbbbb, the baseline's –"),
        ({"plan": {"golden_sha256": None}}, "golden is none, the baseline's given"),
    ],
)
def test_a_condition_is_told_in_words_with_units(changed: dict[str, dict[str, Any]], told: str) -> None:
    one, two = collected(make_run(1, "a")), collected(make_run(2, "b"))
    parts = {name: replace(getattr(two.run, name), **part) for name, part in changed.items()}
    two = replace(two, run=replace(two.run, **parts))
    (note,) = [
        line for line in warnings_of([one.run, two.run], compare_collected([one, two])) if " is " in line
    ]
    assert note.startswith(f"b: {told}")


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
    several = replace(found, boards=(replace(levels[0], runs=("a", "a2")), levels[1]))
    assert odd_sentence(several).startswith("a and b lie 0.0 % apart, of one run on b:")
