"""Who holds a board: one push at a time, whoever's it is, and nobody's file comes to harm."""

from __future__ import annotations

import os
import resource
import shutil
import stat
from pathlib import Path
from typing import Callable

import pytest
from agent_bench import TREES, AgentProcess, Bench, of_kind
from rkbench_agent.board.lock import BoardLock, read_holder, wide_lock_file
from rkbench_agent.wire.board import Holder
from rkbench_agent.wire.messages import BoardCaveat, Latencies, Refused


def test_a_lock_names_its_holder_and_is_free_after_release(tmp_path: Path) -> None:
    first, second = BoardLock(tmp_path / "cache/lock"), BoardLock(tmp_path / "cache/lock")
    assert first.acquire("ann") is None
    holder = second.acquire("bob")
    assert holder is not None and holder.owner == "ann" and holder.since_unix_ns is not None
    first.release()
    assert second.acquire("bob") is None
    second.release()
    assert (tmp_path / "cache/lock").read_bytes() == b""


def test_a_lock_that_could_not_be_written_is_not_held(tmp_path: Path) -> None:
    first, second = BoardLock(tmp_path / "lock"), BoardLock(tmp_path / "lock")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))  # as on a full disk
    try:
        with pytest.raises(OSError):
            first.acquire("ann")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert second.acquire("bob") is None
    second.release()


def test_a_lock_that_is_held_is_not_taken_twice(tmp_path: Path) -> None:
    first, second = BoardLock(tmp_path / "lock"), BoardLock(tmp_path / "lock")
    assert first.acquire("ann") is None
    assert first.acquire("ann") is None
    assert second.acquire("bob") is not None
    first.release()


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """The lock that all users of a recorded board share."""
    (tmp_path / "run/lock").mkdir(parents=True)
    (tmp_path / "run/lock").chmod(0o1777)
    found = wide_lock_file(tmp_path)
    assert found == tmp_path / "run/lock/rkbench-board.lock"
    return found


def test_users_with_caches_of_their_own_see_each_other(tmp_path: Path, wide: Path) -> None:
    ann, bob = BoardLock(tmp_path / "ann/lock", wide), BoardLock(tmp_path / "bob/lock", wide)
    assert ann.acquire("ann") is None
    assert stat.S_IMODE(wide.stat().st_mode) == 0o666
    holder = bob.acquire("bob")
    assert holder is not None and holder.owner == "ann"
    ann.release()
    assert bob.acquire("bob") is None and ann.acquire("ann") is not None
    bob.release()
    assert wide.read_bytes() == b""


@pytest.mark.parametrize("trap", ["symbolic link", "hard link", "pipe", "folder"])
def test_no_trap_in_a_shared_folder_is_written_to(tmp_path: Path, wide: Path, trap: str) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    if trap == "symbolic link":
        wide.symlink_to(victim)
    elif trap == "hard link":
        os.link(victim, wide)
    elif trap == "pipe":
        os.mkfifo(wide)
    else:
        wide.mkdir()
    lock = BoardLock(tmp_path / "lock", wide)
    assert lock.acquire("ann") is None
    assert lock.doubt is not None and lock.doubt.startswith("other users of the board are not seen: ")
    lock.release()
    assert victim.read_bytes() == b"precious"


def test_only_a_sticky_folder_holds_a_shared_lock(tmp_path: Path) -> None:
    assert wide_lock_file(tmp_path) is None
    (tmp_path / "tmp").mkdir(mode=0o755)
    assert wide_lock_file(tmp_path) is None
    (tmp_path / "tmp").chmod(0o1777)
    assert wide_lock_file(tmp_path) == tmp_path / "tmp/rkbench-board.lock"


def test_what_a_stranger_wrote_as_a_holders_name_is_printable(tmp_path: Path) -> None:
    first, second = BoardLock(tmp_path / "lock"), BoardLock(tmp_path / "lock")
    assert first.acquire("\x1b[2Jann\n" + "x" * 300) is None
    holder = second.acquire("bob")
    assert holder is not None and holder.owner == "[2Jann" + "x" * 194
    first.release()


def test_a_holder_that_is_just_writing_its_name_is_unknown(tmp_path: Path) -> None:
    first, second = BoardLock(tmp_path / "lock"), BoardLock(tmp_path / "lock")
    assert first.acquire("ann") is None
    (tmp_path / "lock").write_text('{"own')
    assert second.acquire("bob") == Holder("unknown")
    first.release()


NONSENSE = [
    b'{"pid": 1}',
    b'{"pid": "1", "owner": 1}',
    b'{"pid": %d, "owner": "x", "since_unix_ns": 1}' % 10**30,
    b'{"pid": -1, "owner": "x", "since_unix_ns": 1}',
    b'{"pid": true, "owner": "x"}',
    b'{"pid": 1e308, "owner": "x"}',
    b"[" * 100_000,
    b"[1]",
    b'"pid"',
    b"nonsense",
    b"\xff\xfe\x00",
    b"{" + b'"a":' * 50_000,
]


@pytest.mark.parametrize("content", NONSENSE, ids=range(len(NONSENSE)))
def test_a_lock_file_with_nonsense_is_no_lock(tmp_path: Path, wide: Path, content: bytes) -> None:
    wide.write_bytes(content)
    held = read_holder([wide])
    assert held is None or held == Holder("unknown")
    lock = BoardLock(tmp_path / "lock", wide)
    assert (lock.acquire("ann"), lock.doubt) == (None, None)
    lock.release()


def test_what_a_lock_says_that_makes_no_sense_is_left_out(wide: Path) -> None:
    times = f'"since_unix_ns": {10**28}, "until_unix_ns": "x"'
    wide.write_text(f'{{"pid": {os.getpid()}, "owner": "a\\ud800b", "reason": [1], {times}}}')
    assert read_holder([wide]) == Holder("ab", None, "", None)


@pytest.mark.parametrize("trap", ["pipe", "symbolic link", "device"])
def test_what_is_no_file_at_the_place_of_a_lock_is_passed_over(tmp_path: Path, trap: str) -> None:
    path, victim = tmp_path / "lock", tmp_path / "victim"
    victim.write_bytes(b"precious")
    if trap == "pipe":
        os.mkfifo(path)
    elif trap == "device":
        path.symlink_to("/dev/zero")
    else:
        path.symlink_to(victim)
    assert read_holder([path]) is None
    lock, second = BoardLock(path), BoardLock(path)
    assert lock.acquire("ann") is None
    assert second.acquire("bob") is not None
    lock.release()
    assert victim.read_bytes() == b"precious"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file of another user's")
def test_another_users_file_at_the_place_of_ones_own_lock_gives_way(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_bytes(b"")
    os.chown(str(path), 4321, 4321)
    lock = BoardLock(path)
    assert lock.acquire("ann") is None
    assert path.stat().st_uid == os.geteuid()
    lock.release()


def test_a_push_of_another_user_is_refused_with_the_name_of_the_first(tmp_path: Path) -> None:
    """Two homes, hence two caches, on one board."""
    (tmp_path / "board/run/lock").mkdir(parents=True)
    (tmp_path / "board/run/lock").chmod(0o1777)
    shutil.copytree(TREES / "rk3588", tmp_path / "board", symlinks=True, dirs_exist_ok=True)
    benches = [Bench(tmp_path / name) for name in ("ann", "bob")]
    for bench in benches:
        bench.root = tmp_path / "board"
    behaviour = benches[0].behaviour(hang={"stage": "inference"})
    first = AgentProcess(benches[0], {"RKBENCH_VIRTUAL_BEHAVIOUR": behaviour})
    second = AgentProcess(benches[1], {})
    try:
        first.send(benches[0].plan(benches[0].spec("a"), owner="ann@desk"))
        first.until(Latencies)
        answers = of_kind(second.run(benches[1].plan(benches[1].spec("a"), owner="bob")), Refused)
    finally:
        first.kill()
        second.kill()
    assert [answer.message[:37] for answer in answers] == ["the board is held by ann@desk since 2"]


@pytest.mark.parametrize("trapped", [False, True])
def test_a_lock_for_all_users_that_cannot_be_opened_is_told(
    board: Bench, start: Callable[..., AgentProcess], trapped: bool
) -> None:
    shared = board.root / "run/lock"
    shared.mkdir(parents=True, exist_ok=True)
    shared.chmod(0o1777)
    if trapped:
        (shared / "rkbench-board.lock").mkdir()
    told = of_kind(start().run(board.plan(board.spec())), BoardCaveat)
    assert [message.caveat.code for message in told] == ["other_users_unseen"] * trapped
