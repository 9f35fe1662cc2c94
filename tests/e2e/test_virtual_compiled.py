"""Virtual boards that run beside others find their agent compiled."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rkbench.boards.model import Board
from rkbench.boards.virtual.board import VirtualBoard
from rkbench.session import open_session

BOARD = Board("one", "virtual", soc="rk3588")


@pytest.fixture
def other() -> Iterator[VirtualBoard]:
    """A board that runs already."""
    with VirtualBoard(BOARD) as running:
        yield running


def agents(board: VirtualBoard) -> list[Path]:
    return sorted((board.home / ".cache/rkbench").glob("agents/*"))


def test_a_board_alone_compiles_its_agent_itself() -> None:
    with VirtualBoard(BOARD) as alone:
        assert agents(alone) == []


def test_a_board_beside_another_believes_what_it_is_given(other: VirtualBoard) -> None:
    with VirtualBoard(replace(BOARD, name="two")) as board:
        (given,) = agents(board)
        before = given.stat().st_ino
        with open_session(board.board) as session:
            assert session.hello.digest == given.name.partition(".")[0]
        assert given.stat().st_ino == before  # else it was made anew, and renamed to this
        assert [path.suffix for path in agents(board)] == [".zip", ".pyz"]


def test_what_it_is_given_is_what_it_would_make(other: VirtualBoard) -> None:
    with open_session(other.board):
        pass
    with VirtualBoard(replace(BOARD, name="two")) as board:
        assert agents(board)[0].name in [path.name for path in agents(other)]
        assert agents(board)[0].stat().st_size == pytest.approx(agents(other)[0].stat().st_size, rel=0.05)


def test_a_umask_that_lets_everybody_write_opens_nothing(other: VirtualBoard, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    before = os.umask(0)
    try:
        with VirtualBoard(replace(BOARD, name="two", home=tmp_path / "home")) as board:
            assert not agents(board)[0].stat().st_mode & 0o022
            assert not agents(board)[0].parent.stat().st_mode & 0o022
            with open_session(board.board) as session:
                assert session.hello.digest
    finally:
        os.umask(before)


@pytest.mark.parametrize("change", [{"python": "/usr/bin/python3"}, {"cache_dir": "/tmp/elsewhere"}])
def test_a_board_with_a_python_or_a_cache_of_its_own_is_left_alone(
    other: VirtualBoard, change: dict[str, str]
) -> None:
    with VirtualBoard(replace(BOARD, name="two", **change)) as board:
        assert agents(board) == []


def test_a_home_that_stays_keeps_what_it_has(other: VirtualBoard, tmp_path: Path) -> None:
    kept = tmp_path / "home/.cache/rkbench/agents"
    kept.mkdir(parents=True, mode=0o700)
    with VirtualBoard(replace(BOARD, name="two", home=tmp_path / "home")) as board:
        assert agents(board) == []


def test_a_cache_that_cannot_be_made_is_no_reason_not_to_start(other: VirtualBoard, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/.cache").write_text("a file")
    with VirtualBoard(replace(BOARD, name="two", home=tmp_path / "home")) as board:
        assert board.board.port > 0


def test_a_cache_named_with_two_slashes_lies_in_the_home_of_the_board(
    other: VirtualBoard, tmp_path: Path
) -> None:
    with VirtualBoard(replace(BOARD, name="two", cache_dir=f"~/{tmp_path}/cache")) as board:
        assert not list(tmp_path.iterdir())
        with open_session(board.board):
            pass
        assert [path.suffix for path in (board.home / str(tmp_path)[1:]).glob("cache/agents/*")] == [
            ".zip",
            ".pyz",
        ]


#: Gives the compiled agent to two boards, behind something that happens to the disk before one of them.
GIVING = """
import resource, signal, sys, tempfile
from pathlib import Path
from rkbench.boards.model import Board
from rkbench.boards.virtual.compiled import give_compiled
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for name in ("one", "two"):
    if name == sys.argv[1]:
        exec(sys.argv[2])
    home = Path(sys.argv[3], name)
    home.mkdir()
    give_compiled(Board(name, "virtual"), home)
"""


@pytest.mark.parametrize(
    ("before", "fault"),
    [
        ("one", "tempfile.tempdir = '/nonexistent'"),
        ("two", "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))"),
    ],
)
def test_a_disk_without_room_leaves_the_work_to_the_board(before: str, fault: str, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", GIVING, before, fault, str(tmp_path)], check=True)
    assert not list((tmp_path / "two/.cache/rkbench").glob("agents/*"))
