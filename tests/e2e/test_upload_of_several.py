"""Several files go to a board through one `put`, whatever becomes of one of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from pipes import PipeBoard, PipeChannel, PipeTransport

import pytest
from rkbench.boards.transport import Argument
from rkbench.errors import BenchError, ConnectionLostError
from rkbench.files import LocalFile, local_file
from rkbench.session import Session, start_session

SIZE = 300_000


class CountedTransport(PipeTransport):
    """Counts the `put`s that are started."""

    puts = 0

    def open(self, argv: Sequence[Argument]) -> PipeChannel:
        channel = super().open(argv)
        if "put" in argv:
            self.puts += 1
            self.kill_put = channel.kill
        return channel


@pytest.fixture
def transport(pipe_board: PipeBoard) -> CountedTransport:
    """To an agent that waits for ever: what would be noticed by its silence only hangs."""
    return CountedTransport(pipe_board.home, {**pipe_board.environment, "RKBENCH_SILENCE_LIMIT_S": "3600"})


@pytest.fixture
def files(tmp_path: Path) -> list[LocalFile]:
    """Three that do not compress, one that does, and one that is empty."""
    contents = [hashlib.shake_128(letter).digest(SIZE) for letter in (b"a", b"b", b"c")]
    made = []
    for number, content in enumerate([*contents, bytes(SIZE), b""]):
        path = tmp_path / f"{number}.rknn"
        path.write_bytes(content)
        made.append(local_file(path))
    return made


def session(pipe_board: PipeBoard, transport: CountedTransport) -> Session:
    return start_session(pipe_board.board, transport)


def test_all_files_travel_through_one_put(
    pipe_board: PipeBoard, transport: CountedTransport, files: list[LocalFile]
) -> None:
    with session(pipe_board, transport) as talk:
        sent = talk.upload([*files, files[0]])
    assert [record.cached for record in sent] == [False] * 5 + [True]
    assert sent[3].sent_bytes < 2000
    assert transport.puts == 1
    assert sorted(pipe_board.objects) == sorted(file.sha256 for file in files)


def test_nothing_is_started_where_nothing_is_missing(
    pipe_board: PipeBoard, transport: CountedTransport, files: list[LocalFile]
) -> None:
    with session(pipe_board, transport) as talk:
        talk.upload(files)
        talk.upload(files)
    assert transport.puts == 1


def test_what_came_from_elsewhere_meanwhile_is_not_taken_and_the_next_is(
    pipe_board: PipeBoard, transport: CountedTransport, files: list[LocalFile]
) -> None:
    objects = pipe_board.home / ".cache/rkbench/objects"

    def copy(file: LocalFile, _: int) -> None:
        if file is files[0]:
            (objects / files[1].sha256).write_bytes(files[1].path.read_bytes())

    with session(pipe_board, transport) as talk:
        sent = talk.upload(files, copy)
    assert [record.cached for record in sent] == [False, True, False, False, False]
    assert sorted(pipe_board.objects) == sorted(file.sha256 for file in files)


def test_the_rest_of_a_file_that_arrived_in_part_is_sent_between_others(
    pipe_board: PipeBoard, transport: CountedTransport, files: list[LocalFile]
) -> None:
    incoming = pipe_board.home / ".cache/rkbench/incoming"
    with session(pipe_board, transport) as talk:
        talk.upload(files[:1])
        (incoming / f"{files[1].sha256}.part").write_bytes(files[1].path.read_bytes()[:1000])
        (incoming / f"{files[2].sha256}.part").write_bytes(b"no beginning of it")
        sent = talk.upload(files)
    assert [record.resumed_bytes for record in sent[1:]] == [1000, 0, 0, 0]
    assert sent[1].sent_bytes == SIZE - 1000
    assert sorted(pipe_board.objects) == sorted(file.sha256 for file in files)


def shorter(content: bytes) -> bytes:
    return content[:-1000]


def longer(content: bytes) -> bytes:
    return content + bytes(1000)


@pytest.mark.parametrize(
    ("change", "says"),
    [(shorter, "the stream ended after 299000 of 300000 bytes"), (longer, "changed meanwhile")],
)
def test_a_file_that_was_changed_meanwhile_is_told_at_once_and_the_others_stay(
    pipe_board: PipeBoard,
    transport: CountedTransport,
    files: list[LocalFile],
    change: Callable[[bytes], bytes],
    says: str,
) -> None:
    files[1].path.write_bytes(change(files[1].path.read_bytes()))
    with session(pipe_board, transport) as talk, pytest.raises(BenchError) as told:
        talk.upload(files)
    assert says in f"{told.value.message} {told.value.hint}"
    assert pipe_board.objects == [files[0].sha256]


def test_a_put_that_is_killed_between_two_files_is_a_link_that_broke(
    pipe_board: PipeBoard, transport: CountedTransport, files: list[LocalFile]
) -> None:
    def kill(file: LocalFile, done: int) -> None:
        if file is files[1] and done == file.size_bytes:
            transport.kill_put()

    with session(pipe_board, transport) as talk, pytest.raises(ConnectionLostError):
        talk.upload(files, kill)
    assert set(pipe_board.objects) <= {files[0].sha256, files[1].sha256}
