"""What we tell people to type on a board works: the commands run in a shell, over the files of boards."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from made_runs import make_run
from rkbench.boards.doctor.checks import board_checks
from rkbench.boards.virtual.trees import TREES, copy_tree
from rkbench.runs.caveats import caveats_of
from rkbench.runs.environment import update_record
from rkbench.runs.latencies import RawLatencies
from rkbench.runs.records import BoardRecord
from rkbench_agent.board.environment import read_environment
from rkbench_agent.board.pin_plan import command_of, plan_pin, read_domains
from rkbench_agent.wire.caveats import Caveat
from rkbench_agent.wire.words import LITE, NPU

RECORDED = Path(__file__).parents[2] / "data/recorded"
BOARDS = [(TREES, name) for name in ("rk3568", "rk3588")] + [
    (RECORDED, path.stem) for path in sorted(RECORDED.glob("*.links"))
]
SHELLS = [shell for shell in (("sh",), ("busybox", "sh")) if shutil.which(shell[0])]


def of_governors(root: Path) -> list[Caveat]:
    """Return what is said of the governors of the board under `root`, as of a real one."""
    board = update_record(BoardRecord("desk"), read_environment(root, LITE))
    run = replace(make_run(), board=board, simulated=False, conditions=None)
    return [found for found in caveats_of(run, RawLatencies()) if found.code in ("governor", "cpu_governor")]


def typed_there(command: str, root: Path, shell: tuple[str, ...]) -> None:
    """Run a command of an advice, as root on that board: its /sys is the tree's."""
    there = command.replace("/sys/", f"{root}/sys/").replace("sudo ", "")
    subprocess.run([*shell, "-ec", there], check=True, capture_output=True)


@pytest.fixture(params=BOARDS, ids=lambda board: board[1])
def board(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    trees, name = request.param
    copy_tree(name, tmp_path / "board", trees)
    return tmp_path / "board"


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_governors_are_held_by_what_the_caveat_says(board: Path, shell: tuple[str, ...]) -> None:
    for found in of_governors(board):
        typed_there(found.advice.partition("as root there: ")[2], board, shell)
    assert of_governors(board) == []


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_governors_are_held_by_what_the_doctor_says(board: Path, shell: tuple[str, ...]) -> None:
    environment = read_environment(board, LITE, board)
    closed = [replace(file, settable=False) for file in environment.governor_files or ()]
    checks = board_checks(replace(environment, governor_files=closed, user="ann"), LITE)
    for check in (check for check in checks if "by hand: " in check.fix):
        typed_there(check.fix.partition("by hand: ")[2], board, shell)
    assert of_governors(board) == []


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_clocks_are_held_by_what_the_agent_says_where_it_may_not(board: Path, shell: tuple[str, ...]) -> None:
    domains = read_domains(board)
    if any(domain.part == NPU for domain in domains):
        typed_there(command_of(plan_pin(domains)), board, shell)
        assert of_governors(board) == []


def test_an_example_board_has_governors_that_let_clocks_move(tmp_path: Path) -> None:
    copy_tree("rk3588", tmp_path / "board")
    assert [found.code for found in of_governors(tmp_path / "board")] == ["governor", "cpu_governor"]
