"""A session with the virtual board: the whole way, in this process, with the real agent."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import paramiko
import pytest
from rkbench.boards.model import Board
from rkbench.boards.ssh.connection import connect
from rkbench.boards.ssh.server import CommandServer, niceness
from rkbench.boards.virtual.board import VirtualBoard
from rkbench.boards.virtual.trees import copy_tree
from rkbench.files import local_file
from rkbench.session import open_session

INCOMPRESSIBLE = b"".join(hashlib.sha256(bytes([i % 256, i // 256])).digest() for i in range(40_000))


@pytest.fixture
def virtual() -> Iterator[VirtualBoard]:
    with VirtualBoard(Board(name="virtual", host="virtual", soc="rk3588", simulated=True)) as board:
        yield board


def test_the_agent_says_what_the_virtual_board_is(virtual: VirtualBoard) -> None:
    with open_session(virtual.board) as session:
        assert session.hello.magic == "rkbench-agent"
        assert session.environment.soc == "rk3588"
        assert session.environment.simulated is True


def test_commands_leave_the_processors_to_the_host_where_there_are_more_boards(virtual: VirtualBoard) -> None:
    own, processors = os.getpriority(os.PRIO_PROCESS, 0), os.cpu_count() or 1
    with ExitStack() as more:
        transport = more.enter_context(closing(connect(virtual.board)))
        first = more.enter_context(closing(transport.open(["sh", "-c", "echo $$; exec cat"])))
        pid = int(first.recv(100))
        for number in range(1, 4 * processors):
            more.enter_context(VirtualBoard(Board(f"b{number}", "virtual", soc="rk3588", simulated=True)))
            with closing(transport.open(["nice"])) as channel:
                said = int(channel.recv(100))
            assert said == min(19, own + niceness(number + 1, processors))
        assert os.getpriority(os.PRIO_PROCESS, pid) == said == min(19, own + 6)


def test_all_boards_of_a_processor_weigh_as_much_as_one_process() -> None:
    assert [niceness(boards, 2) for boards in (0, 1, 2, 3, 50, 10_000)] == [0, 0, 0, 2, 14, 19]


def test_what_is_on_the_board_is_not_sent_again(virtual: VirtualBoard, tmp_path: Path) -> None:
    (tmp_path / "m.rknn").write_bytes(INCOMPRESSIBLE)
    with open_session(virtual.board) as session:
        first = session.upload([local_file(tmp_path / "m.rknn")])[0]
    with open_session(virtual.board) as session:
        second = session.upload([local_file(tmp_path / "m.rknn")])[0]
    assert (first.model_bytes, first.sent_bytes, first.cached, first.codec) == (
        1280000,
        1280000,
        False,
        "stored",
    )
    assert (second.sent_bytes, second.cached) == (0, True)
    stored = virtual.home / ".cache/rkbench/objects" / hashlib.sha256(INCOMPRESSIBLE).hexdigest()
    assert stored.read_bytes() == INCOMPRESSIBLE


def test_zeros_are_sent_compressed(virtual: VirtualBoard, tmp_path: Path) -> None:
    (tmp_path / "bloated.rknn").write_bytes(bytes(5_000_000))
    with open_session(virtual.board) as session:
        transfer = session.upload([local_file(tmp_path / "bloated.rknn")])[0]
    assert transfer.codec == "zlib"
    assert transfer.sent_bytes < 50_000
    stored = virtual.home / ".cache/rkbench/objects" / hashlib.sha256(bytes(5_000_000)).hexdigest()
    assert stored.read_bytes() == bytes(5_000_000)


def test_a_server_that_refuses_a_command_once_is_asked_again(
    virtual: VirtualBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, refused = CommandServer.check_channel_exec_request, []

    def refuse_first(server: CommandServer, channel: paramiko.Channel, command: bytes) -> bool:
        if not refused:
            refused.append(command)
            return False
        return start(server, channel, command)

    monkeypatch.setattr(CommandServer, "check_channel_exec_request", refuse_first)
    with open_session(virtual.board) as session:
        assert session.environment.soc == "rk3588"
    assert len(refused) == 1


def test_a_board_that_is_interrupted_as_it_starts_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("rkbench.boards.virtual.board.SshServer", interrupt)
    with pytest.raises(KeyboardInterrupt):
        VirtualBoard(Board(name="virtual", host="virtual", soc="rk3588", simulated=True))
    assert list(tmp_path.iterdir()) == []


def test_two_that_start_in_one_home_at_once_share_its_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy_late(soc: str, target: Path) -> None:
        copy_tree(soc, target)
        copy_tree(soc, tmp_path / "home.rk3588.tree")  # as the other one does it

    monkeypatch.setattr("rkbench.boards.virtual.board.copy_tree", copy_late)
    board = Board(name="h", host="virtual", soc="rk3588", simulated=True, home=tmp_path / "home")
    with VirtualBoard(board):
        assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "home.rk3588.tree"]


@pytest.mark.parametrize("descriptors", [16, 20])
def test_a_push_that_runs_out_of_descriptors_ends_in_words(
    descriptors: int, tmp_path: Path, data: Path
) -> None:
    words = ["push", str(data / "models/mb_gap7_rk3588_i8.rknn"), "--board", "virtual"]
    limited = f'ulimit -n {descriptors}; exec "$0" -m rkbench "$@"'
    done = subprocess.run(
        ["sh", "-c", limited, sys.executable, *words],
        env={**os.environ, "HOME": str(tmp_path), "RKBENCH_STORE": str(tmp_path / "store")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, "Traceback" in done.stderr, "→" in done.stderr) == (1, False, True)
