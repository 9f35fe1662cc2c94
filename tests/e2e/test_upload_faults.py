"""Uploads that go wrong: cut, stalled, killed, no room; what is left, and how the next one goes on."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from pipes import PipeBoard

import pytest
from relay import Relay
from rkbench.boards.model import Board
from rkbench.errors import ConnectionLostError, NoSpaceError
from rkbench.files import local_file
from rkbench.session import Session, open_session
from sshd import BEAT_INTERVAL_S, SILENCE_LIMIT_S, Sshd

SIZE = 16 * 1024 * 1024
#: Less than what the relay and its sockets hold at once.
SLOW_BYTES = 1024 * 1024


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A file that does not compress."""
    path = tmp_path / "m.rknn"
    path.write_bytes(hashlib.shake_128(b"model").digest(SIZE))
    return path


def short_session(board: Board) -> Session:
    return open_session(board, silence_limit_s=SILENCE_LIMIT_S, beat_interval_s=BEAT_INTERVAL_S)


def digest_of(model: Path) -> str:
    return hashlib.sha256(model.read_bytes()).hexdigest()


def test_an_upload_that_was_cut_goes_on_where_it_stopped(sshd: Sshd, relay: Relay, model: Path) -> None:
    board = sshd.through(relay.port)
    with short_session(board) as session:
        relay.cut_after(SIZE // 2)
        with pytest.raises(ConnectionLostError, match="broke off"):
            session.upload([local_file(model)])
    sshd.await_no_processes()
    partial = sshd.partials[f"{digest_of(model)}.part"]
    assert SIZE // 4 < partial < SIZE
    assert sshd.objects == []

    with short_session(board) as session:
        again = session.upload([local_file(model)])[0]
    assert again.resumed_bytes == partial
    assert again.sent_bytes == SIZE - partial
    assert (sshd.objects, sshd.partials) == ([digest_of(model)], {})


def test_an_upload_that_stalls_is_noticed_on_both_sides(sshd: Sshd, relay: Relay, model: Path) -> None:
    board = sshd.through(relay.port)
    with short_session(board) as session:
        relay.stall_after(SIZE // 2)
        with pytest.raises(ConnectionLostError):
            session.upload([local_file(model)])
    sshd.await_no_processes()  # by its own limit: the link is still stalled
    partial = sshd.partials[f"{digest_of(model)}.part"]
    assert SIZE // 4 < partial < SIZE

    relay.resume()
    with short_session(board) as session:
        again = session.upload([local_file(model)])[0]
    assert again.sent_bytes == SIZE - partial
    assert sshd.objects == [digest_of(model)]


def test_beats_that_queue_behind_an_upload_on_a_slow_link_are_no_silence(sshd: Sshd, tmp_path: Path) -> None:
    """What lies in the link takes three times the limit to come through; the upload is a word of the host."""
    path = tmp_path / "m.rknn"
    path.write_bytes(hashlib.shake_128(b"slow").digest(SLOW_BYTES))
    slow_link = Relay(sshd.port, rate_bytes_per_s=SLOW_BYTES / (3 * SILENCE_LIMIT_S))
    with slow_link, short_session(sshd.through(slow_link.port)) as session:
        sent = session.upload([local_file(path)])[0].sent_bytes
        again = session.upload([local_file(path)])[0]
    assert (sent, again.cached) == (SLOW_BYTES, True)
    assert sshd.objects == [digest_of(path)]


def test_a_damaged_partial_is_sent_anew(sshd: Sshd, relay: Relay, model: Path) -> None:
    board = sshd.through(relay.port)
    with short_session(board) as session:
        relay.cut_after(SIZE // 2)
        with pytest.raises(ConnectionLostError):
            session.upload([local_file(model)])
    sshd.await_no_processes()
    path = sshd.home / ".cache/rkbench/incoming" / f"{digest_of(model)}.part"
    with path.open("r+b") as partial:
        partial.write(b"damage")

    with short_session(board) as session:
        again = session.upload([local_file(model)])[0]
    assert (again.resumed_bytes, again.sent_bytes) == (0, SIZE)
    assert sshd.objects == [digest_of(model)]


def test_a_killed_client_leaves_no_process_and_nothing_unverified(
    sshd: Sshd, relay: Relay, model: Path, tmp_path: Path
) -> None:
    board = sshd.through(relay.port)
    script = (
        "import sys; from pathlib import Path; from rkbench.boards.model import Board\n"
        "from rkbench.files import local_file; from rkbench.session import open_session\n"
        "host, port, user, key, known, model = sys.argv[1:]\n"
        "board = Board(name='b', host=host, port=int(port), user=user, identity_files=(Path(key),),\n"
        "              known_hosts_files=(Path(known),))\n"
        "with open_session(board) as session:\n"
        "    session.upload([local_file(Path(model))], lambda *progress: print(progress, flush=True))\n"
    )
    relay.stall_after(SIZE // 2)
    arguments = [board.host, str(board.port), str(board.user), str(sshd.client_key)]
    arguments += [str(board.known_hosts_files[0]), str(model)]
    command = [sys.executable, "-c", script, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        assert client.stdout.readline() != ""  # it is in the middle of the upload
        client.send_signal(signal.SIGKILL)
    relay.cut()
    relay.resume()
    sshd.await_no_processes()
    assert sshd.objects == []


def test_a_link_that_falls_silent_ends_the_session_and_the_agent(sshd: Sshd, relay: Relay) -> None:
    with short_session(sshd.through(relay.port)) as session:
        relay.stall()
        with pytest.raises(ConnectionLostError, match="nothing heard for 2 s"):
            session.upload([local_file(Path(__file__))])
        sshd.await_no_processes()
    assert sshd.processes() == []


def test_a_limit_on_the_size_of_files_is_named_not_the_room_on_the_disk(
    start_sshd: Callable[..., Sshd], model: Path
) -> None:
    limit = 'ForceCommand ulimit -f 4096; eval "$SSH_ORIGINAL_COMMAND"'  # in KiB or half KiB, by the shell
    server = start_sshd(more=limit)
    said = r"the login may write no file larger than \d+ bytes \(ulimit -f\), 16\.8 MB are"
    with open_session(server.board) as session, pytest.raises(NoSpaceError, match=said):
        session.upload([local_file(model)])
    server.await_no_processes()
    assert (server.objects, server.partials) == ([], {})


def test_two_sessions_that_send_one_file_at_once_do_not_mix(sshd: Sshd, model: Path) -> None:
    with Relay(sshd.port, rate_bytes_per_s=SIZE / 2) as slow_link, ThreadPoolExecutor(1) as threads:
        started = threading.Event()

        def send_slowly() -> int:
            with open_session(sshd.through(slow_link.port)) as session:
                return session.upload([local_file(model)], lambda *_: started.set())[0].sent_bytes

        sent = threads.submit(send_slowly)
        assert started.wait(30)
        with open_session(sshd.board) as session:
            session.upload([local_file(model)])
        assert sent.result() == SIZE
    assert (sshd.objects, sshd.partials) == ([digest_of(model)], {})


def test_a_model_that_has_rotted_on_the_board_is_sent_again(pipe_board: PipeBoard, model: Path) -> None:
    with pipe_board.session() as session:
        session.upload([local_file(model)])
    with (pipe_board.home / ".cache/rkbench/objects" / digest_of(model)).open("r+b") as cached:
        cached.seek(SIZE // 2)
        cached.write(b"rot")
    with pipe_board.session() as session:
        assert [session.upload([local_file(model)])[0].cached for _ in "12"] == [False, True]


def test_ten_sessions_that_send_one_new_file_at_once_all_succeed(pipe_board: PipeBoard, model: Path) -> None:
    together = threading.Barrier(10)

    def send(_: int) -> str:
        with pipe_board.session(silence_limit_s=30.0) as session:
            together.wait(60)
            session.upload([local_file(model)])
            return session.board.name

    with ThreadPoolExecutor(10) as threads:
        assert list(threads.map(send, range(10))) == [pipe_board.board.name] * 10
    assert (pipe_board.objects, pipe_board.partials) == ([digest_of(model)], {})


def test_an_upload_waits_as_long_as_anothers_of_the_same_file_grows(sshd: Sshd, model: Path) -> None:
    """Six seconds of it: three times as long as silence would be borne."""
    with Relay(sshd.port, rate_bytes_per_s=SIZE / 6) as slow_link, ThreadPoolExecutor(1) as threads:
        started = threading.Event()

        def send_slowly() -> int:
            with open_session(sshd.through(slow_link.port), beat_interval_s=BEAT_INTERVAL_S) as session:
                return session.upload([local_file(model)], lambda *_: started.set())[0].sent_bytes

        sent = threads.submit(send_slowly)
        assert started.wait(30)
        with short_session(sshd.board) as session:
            again = session.upload([local_file(model)])[0]
        assert (sent.result(), again.cached) == (SIZE, True)
