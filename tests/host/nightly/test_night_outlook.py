"""How long a night takes yet, and what a terminal says of it meanwhile."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

from rkbench.boards.model import Board
from rkbench.nightly.cells import Cell
from rkbench.nightly.outlook import NightOutlook
from rkbench.nightly.suite import NightPlan
from rkbench.results.night import CellBegun, CellEnded, CellResult, Fault, NightBegun
from rkbench.views.nightly.progress import LiveNightProgress

LEFT, RIGHT = Board("left", "a"), Board("right", "b")


def cell(position: int, model: str, board: Board) -> Cell:
    return Cell(position, model, Path(f"{model}.rknn"), "f", None, board, NightPlan(), ())


def ended(model: str, board: str, took_s: float, fault: Fault | None = None) -> CellResult:
    return CellResult(model, model, board, "default", fault=fault, duration_s=took_s)


CELLS = [
    cell(0, "a", LEFT),
    cell(1, "b", LEFT),
    cell(2, "a", RIGHT),
    cell(3, "b", RIGHT),
    cell(4, "c", RIGHT),
]


def test_nothing_is_known_of_a_first_night_until_a_cell_has_ended() -> None:
    outlook = NightOutlook(CELLS, {})
    assert outlook.left_s({}) is None
    assert outlook.left_s({0: ended("a", "left", 3.0, Fault("gone"))}) is None


def test_the_board_that_takes_longest_tells_when_the_night_ends() -> None:
    outlook = NightOutlook(CELLS, {})
    assert outlook.left_s({0: ended("a", "left", 10.0)}) == 30.0
    assert outlook.left_s({0: ended("a", "left", 10.0), 2: ended("a", "right", 40.0)}) == 80.0


def test_what_a_cell_took_the_night_before_is_what_it_is_thought_to_take() -> None:
    before = {("a", "left", "default"): 5.0, ("b", "left", "default"): 600.0}
    outlook = NightOutlook(CELLS[:2], before)
    assert outlook.left_s({}) == 605.0
    assert outlook.left_s({0: ended("a", "left", 10.0)}) == 600.0
    assert outlook.left_s({0: ended("a", "left", 10.0), 1: ended("b", "left", 10.0)}) == 0.0


def test_each_second_of_a_night_has_a_word_on_a_terminal() -> None:
    now = [0.0]
    progress = LiveNightProgress(StringIO(), lambda: now[0])
    assert progress.lines() == ["no cell is done yet"]
    progress(NightBegun(5, 0, 60.0))
    progress(CellBegun("left", "a", "default"))
    now[0] = 7.0
    assert progress.lines() == ["0 of 5 cells, about 53 s left", "  left: a (default), 7 s"]
    progress(CellEnded(ended("a", "left", 7.0), 1, 5, 30.0))
    progress(CellBegun("left", "b", "default"))
    now[0] = 8.0
    assert progress.lines() == ["1 of 5 cells, about 29 s left", "  left: b (default), 1 s"]
    progress(CellEnded(replace(ended("b", "left", 1.0), p50_s=0.004), 2, 5, None))
    assert progress.lines() == ["2 of 5 cells"]


def test_a_terminal_that_is_lower_than_the_lab_counts_the_boards_that_it_cannot_name() -> None:
    progress = LiveNightProgress(StringIO(), lambda: 0.0)
    progress(NightBegun(100))
    for number in range(50):
        progress(CellBegun(f"b{number}", "a", "default"))
    assert len(progress.lines()) == 51
    assert progress.lines(5) == [
        "0 of 100 cells",
        "  b0: a (default), 0 s",
        "  b1: a (default), 0 s",
        "  b2: a (default), 0 s",
        "  and 47 boards more",
    ]
    assert progress.lines(2) == ["0 of 100 cells", "  and 50 boards more"]
    assert len(progress.lines(51)) == 51
