"""Starting the agent and filling its cache over a transport without SSH: what fails, and what is told."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from pipes import PipeBoard

import pytest
from rkbench.errors import BoardError, NoSpaceError
from rkbench.files import local_file
from sshd import SILENCE_LIMIT_S

SIZE = 16 * 1024 * 1024


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A file that does not compress."""
    path = tmp_path / "m.rknn"
    path.write_bytes(hashlib.shake_128(b"model").digest(SIZE))
    return path


def test_a_board_without_python_says_so(pipe_board: PipeBoard) -> None:
    with pytest.raises(BoardError, match=r"no Python there: '/opt/no such/python3'") as refusal:
        pipe_board.session(replace(pipe_board.board, python="/opt/no such/python3"))
    assert "--python" in refusal.value.hint


def old_pythons(folder: Path) -> Iterator[Path]:
    """Pythons below 3.8 that are found here, and a stand-in that answers as one."""
    for version in ("2.7", "3.6", "3.7"):
        yield from sorted((Path.home() / ".pyenv/versions").glob(f"{version}.*/bin/python"))[:1]
    answer = f"rkbench-boot error python_too_old {folder}/python is Python 3.5"
    (folder / "python").write_text(f"#!/bin/sh\necho '{answer}'\nexit 3\n")
    (folder / "python").chmod(0o755)
    yield folder / "python"


def test_a_python_that_is_too_old_says_so(pipe_board: PipeBoard, tmp_path: Path) -> None:
    for python in old_pythons(tmp_path):
        with pytest.raises(BoardError, match=r"Python \d\.\d; the agent needs Python 3\.8"):
            pipe_board.session(replace(pipe_board.board, python=str(python)))


def test_a_disk_without_room_for_the_agent_is_named(pipe_board: PipeBoard) -> None:
    with pytest.raises(NoSpaceError, match="no space for the agent"):
        pipe_board.session(rules="ulimit -f 0;")
    assert [path for path in pipe_board.home.rglob("*") if path.is_file()] == []


def test_every_command_goes_through_become(pipe_board: PipeBoard, tmp_path: Path) -> None:
    tracer = tmp_path / "become"
    tracer.write_text(f'#!/bin/sh\necho "$#" >> {tmp_path}/used\nshift\nexec "$@"\n')
    tracer.chmod(0o755)
    (tmp_path / "m.rknn").write_bytes(b"model")
    with pipe_board.session(replace(pipe_board.board, become=f"{tracer} -n")) as session:
        session.upload([local_file(tmp_path / "m.rknn")])
    assert len((tmp_path / "used").read_text().split()) == 2


def test_an_agent_that_dies_at_its_start_is_quoted(pipe_board: PipeBoard, tmp_path: Path) -> None:
    python = tmp_path / "python3"
    python.write_text("#!/bin/sh\necho 'libpython3.so: cannot open shared object' >&2\nexit 5\n")
    python.chmod(0o755)
    with pytest.raises(BoardError, match="exit status 5") as refusal:
        pipe_board.session(replace(pipe_board.board, python=str(python)))
    assert "libpython3.so: cannot open shared object" in refusal.value.hint


def test_a_home_that_cannot_be_written_is_named(pipe_board: PipeBoard) -> None:
    with pytest.raises(BoardError, match=r"cannot be written: /proc/rkbench") as refusal:
        pipe_board.session(replace(pipe_board.board, cache_dir="/proc/rkbench"))
    assert "cache_dir" in refusal.value.hint


def test_python_can_lie_in_the_home(pipe_board: PipeBoard) -> None:
    (pipe_board.home / "my venv").mkdir()
    (pipe_board.home / "my venv/python").symlink_to(sys.executable)
    with pipe_board.session(replace(pipe_board.board, python="~/my venv/python")) as session:
        assert session.hello.python_version == sys.version.split()[0]


def test_beats_keep_an_idle_session_alive(pipe_board: PipeBoard) -> None:
    with pipe_board.session(silence_limit_s=1.0, beat_interval_s=0.2) as session:
        answers = [session.upload([local_file(Path(__file__))])[0].cached]
        session._link._over.wait(2 * SILENCE_LIMIT_S)  # idle for longer than either side's limit
        answers.append(session.upload([local_file(Path(__file__))])[0].cached)
    assert answers == [False, True]


def test_no_space_is_told_with_numbers_before_anything_is_sent(model: Path, tmpfs: Path) -> None:
    server = PipeBoard(tmpfs)
    with server.session() as session, pytest.raises(NoSpaceError) as refusal:
        session.upload([local_file(model)])
    assert "16.8 MB are to be sent" in refusal.value.message
    assert server.partials == {}


def test_two_models_of_equal_content_are_sent_once(
    pipe_board: PipeBoard, model: Path, tmp_path: Path
) -> None:
    twin = tmp_path / "twin.rknn"
    twin.write_bytes(model.read_bytes())
    with pipe_board.session() as session:
        first, second = session.upload([local_file(model), local_file(twin)])
    assert (first.sent_bytes, second.sent_bytes, second.cached) == (SIZE, 0, True)


def test_the_least_recently_used_model_makes_room(pipe_board: PipeBoard, tmp_path: Path) -> None:
    board = replace(pipe_board.board, cache_limit_bytes=2500)
    names = []
    for letter in "abc":
        path = tmp_path / letter
        path.write_bytes(letter.encode() * 1000)
        names.append(hashlib.sha256(path.read_bytes()).hexdigest())
    with pipe_board.session(board) as session:
        for letter in "abc":
            session.upload([local_file(tmp_path / letter)])
    assert pipe_board.objects == sorted(names[1:])
