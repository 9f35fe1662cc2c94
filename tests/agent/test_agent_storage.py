"""The cache of the board and `put`: what lies in it was verified; what was interrupted goes on."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

import pytest
from rkbench_agent.errors import StorageError
from rkbench_agent.line.put import store
from rkbench_agent.line.storage import AGENTS_KEPT, Cache, file_system

AGENT = Path(__file__).parents[2] / "agent"
DATA = hashlib.shake_128(b"model").digest(3 << 20)
DIGEST = hashlib.sha256(DATA).hexdigest()


def reader(data: bytes, step: int = 70_000) -> Callable[[int], bytes]:
    """A stream that yields `data` in pieces."""
    pieces = [data[start : start + step] for start in range(0, len(data), step)]
    return lambda count: pieces.pop(0)[:count] if pieces else b""


def put(cache: Path, *arguments: str, sent: bytes = b"", limit_s: str = "15") -> Dict[str, Any]:
    """Run `put` as the host does, and return its answer."""
    environment = {**os.environ, "PYTHONPATH": str(AGENT), "RKBENCH_SILENCE_LIMIT_S": limit_s}
    command = [sys.executable, "-m", "rkbench_agent", "put", *arguments]
    ended = subprocess.run(command, check=False, input=sent, stdout=subprocess.PIPE, env=environment)
    reply = json.loads(ended.stdout.splitlines()[-1])
    assert ended.returncode == (0 if "ok" in reply else 1)
    assert isinstance(reply, dict)
    return reply


def test_put_stores_what_has_the_digest(tmp_path: Path) -> None:
    reply = put(tmp_path, DIGEST, str(len(DATA)), "0", "stored", str(tmp_path), "0", sent=DATA)
    assert (reply["ok"], reply["cached"]) == (True, False)
    assert Cache(str(tmp_path)).path(DIGEST).read_bytes() == DATA
    assert put(tmp_path, DIGEST, str(len(DATA)), "0", "stored", str(tmp_path), "0")["cached"] is True


def test_put_inflates_a_zlib_stream(tmp_path: Path) -> None:
    zeros = bytes(20 << 20)
    digest = hashlib.sha256(zeros).hexdigest()
    sent = zlib.compress(zeros, 1)
    reply = put(tmp_path, digest, str(len(zeros)), "0", "zlib", str(tmp_path), "0", sent=sent)
    assert reply["ok"] is True
    assert Cache(str(tmp_path)).path(digest).read_bytes() == zeros


def test_a_stream_that_ends_early_is_kept_and_resumed(tmp_path: Path) -> None:
    half = len(DATA) // 2
    reply = put(tmp_path, DIGEST, str(len(DATA)), "0", "stored", str(tmp_path), "0", sent=DATA[:half])
    assert (reply["error"], reply["received"]) == ("cut", half)
    cache = Cache(str(tmp_path))
    assert cache.partial_sizes([DIGEST]) == {DIGEST: half}
    assert cache.have([DIGEST]) == []

    prefix = hashlib.sha256(DATA[:half]).hexdigest()
    arguments = [DIGEST, str(len(DATA)), str(half), "stored", str(tmp_path), "0", prefix]
    assert put(tmp_path, *arguments, sent=DATA[half:])["ok"] is True
    assert cache.path(DIGEST).read_bytes() == DATA
    assert cache.partial_sizes([DIGEST]) == {}


def test_a_partial_that_is_no_beginning_is_dropped(tmp_path: Path) -> None:
    cache = Cache(str(tmp_path))
    cache.prepare()
    cache.partial_path(DIGEST).write_bytes(b"x" * 1000)
    with pytest.raises(StorageError) as refusal:
        store(cache, DIGEST, len(DATA), reader(b""), offset=1000, prefix_digest="0" * 64)
    assert refusal.value.kind == "prefix"
    assert cache.partial_sizes([DIGEST]) == {}


@pytest.mark.parametrize("sent", [DATA[:-1] + b"!", DATA + b"more"])
def test_bytes_with_another_digest_are_never_stored(tmp_path: Path, sent: bytes) -> None:
    cache = Cache(str(tmp_path))
    with pytest.raises(StorageError) as refusal:
        store(cache, DIGEST, len(DATA), reader(sent))
    assert refusal.value.kind == "damaged"
    assert list(cache.objects.iterdir()) == []


def test_a_stream_that_is_no_zlib_is_damaged(tmp_path: Path) -> None:
    with pytest.raises(StorageError) as refusal:
        store(Cache(str(tmp_path)), DIGEST, len(DATA), reader(DATA), codec="zlib")
    assert refusal.value.kind == "damaged"


def test_a_silent_host_is_given_up_and_what_came_is_kept(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(AGENT), "RKBENCH_SILENCE_LIMIT_S": "0.3"}
    arguments = [DIGEST, str(len(DATA)), "0", "stored", str(tmp_path), "0"]
    command = [sys.executable, "-m", "rkbench_agent", "put", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(DATA[:1000])
        process.stdin.flush()
        reply = json.loads(process.stdout.read().splitlines()[-1])
    assert (reply["error"], reply["received"]) == ("stalled", 1000)
    assert Cache(str(tmp_path)).partial_sizes([DIGEST]) == {DIGEST: 1000}


def test_a_killed_put_leaves_nothing_complete(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(AGENT)}
    arguments = [DIGEST, str(len(DATA)), "0", "stored", str(tmp_path), "0"]
    command = [sys.executable, "-m", "rkbench_agent", "put", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == b"rkbench-put ready\n"
        process.stdin.write(DATA[:-1])
        process.kill()
    cache = Cache(str(tmp_path))
    assert cache.have([DIGEST]) == []
    assert list(cache.objects.iterdir()) == []


def test_two_uploads_of_one_file_do_not_mix(tmp_path: Path) -> None:
    cache = Cache(str(tmp_path))
    kinds: List[Optional[str]] = []

    def read_while_another_tries(count: int) -> bytes:
        if not kinds:
            with pytest.raises(StorageError) as refusal:
                store(Cache(str(tmp_path)), DIGEST, len(DATA), reader(DATA))
            kinds.append(refusal.value.kind)
        return stream(count)

    stream = reader(DATA)
    assert store(cache, DIGEST, len(DATA), read_while_another_tries) is True
    assert kinds == ["busy"]
    assert cache.path(DIGEST).read_bytes() == DATA


def test_what_has_rotted_in_the_cache_is_not_there(tmp_path: Path) -> None:
    store(Cache(str(tmp_path)), DIGEST, len(DATA), reader(DATA))
    path, cache = Cache(str(tmp_path)).path(DIGEST), Cache(str(tmp_path))
    assert cache.have([DIGEST]) == [DIGEST]
    rotted = bytearray(DATA)
    rotted[len(DATA) // 2] ^= 1
    path.write_bytes(bytes(rotted))
    for asked in (cache, Cache(str(tmp_path))):
        assert (asked.have([DIGEST]), asked.locate(DIGEST)) == ([], None)
    assert not path.exists()


def test_a_file_is_read_once_as_long_as_nobody_touches_it(tmp_path: Path) -> None:
    cache, pulses = Cache(str(tmp_path)), [0]

    def pulse() -> None:
        pulses[0] += 1

    store(cache, DIGEST, len(DATA), reader(DATA))
    for _ in range(3):
        assert cache.have([DIGEST], pulse) == [DIGEST]
    assert cache.locate(DIGEST) is not None
    assert pulses == [3]  # one for each MB of it


@pytest.mark.parametrize("trap", ["link", "pipe", "another user's"])
def test_what_is_no_file_of_ones_own_is_neither_an_object_nor_written_to(tmp_path: Path, trap: str) -> None:
    cache = Cache(str(tmp_path / "cache"))
    cache.prepare()
    victim = tmp_path / "victim"
    victim.write_bytes(DATA)
    for path in (cache.path(DIGEST), cache.partial_path(DIGEST)):
        if trap == "link":
            path.symlink_to(victim)
        elif trap == "pipe":
            os.mkfifo(str(path))
        else:
            if os.geteuid() != 0:
                pytest.skip("only root can make a file of another user's")
            path.write_bytes(DATA)
            os.chown(str(path), 4321, 4321)
    assert cache.have([DIGEST]) == []
    assert store(cache, DIGEST, len(DATA), reader(DATA)) is True
    assert (cache.have([DIGEST]), victim.read_bytes()) == ([DIGEST], DATA)
    assert not cache.path(DIGEST).is_symlink()


def test_the_least_recently_used_object_goes_first_and_the_campaign_stays(tmp_path: Path) -> None:
    cache = Cache(str(tmp_path))
    names = []
    for age, letter in enumerate(b"abc"):
        data = bytes([letter]) * 1000
        names.append(hashlib.sha256(data).hexdigest())
        store(cache, names[-1], 1000, reader(data))
        os.utime(str(cache.path(names[-1])), (age, age))
    assert cache.make_room(1000, limit_bytes=3000, keep=[names[0]]) == [names[1]]
    assert cache.have(names) == [names[0], names[2]]
    assert cache.make_room(1000, limit_bytes=10, keep=names) == []


@pytest.mark.parametrize("place", ["objects", "incoming"])
def test_a_folder_in_the_way_of_a_file_is_told(tmp_path: Path, place: str) -> None:
    name = DIGEST if place == "objects" else DIGEST + ".part"
    (tmp_path / place / name / "full").mkdir(parents=True)
    reply = put(tmp_path, DIGEST, str(len(DATA)), "0", "stored", str(tmp_path), "0", sent=DATA)
    assert reply["error"] == "read_only"
    assert name in reply["message"]


def test_no_space_is_told_with_both_numbers(tmp_path: Path) -> None:
    with pytest.raises(StorageError) as refusal:
        store(Cache(str(tmp_path)), DIGEST, 1 << 60, reader(DATA))
    assert refusal.value.kind == "no_space"
    assert refusal.value.details["needed_bytes"] == 1 << 60
    assert 0 < refusal.value.details["free_bytes"] < 1 << 60


def test_a_folder_that_cannot_be_made_is_read_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError) as refusal:
        store(Cache(str(tmp_path / "file/cache")), DIGEST, len(DATA), reader(DATA))
    assert refusal.value.kind == "read_only"


def test_old_partials_and_old_agents_are_purged(tmp_path: Path) -> None:
    cache = Cache(str(tmp_path))
    cache.prepare()
    cache.partial_path(DIGEST).write_bytes(b"old")
    os.utime(str(cache.partial_path(DIGEST)), (0, 0))
    cache.partial_path("0" * 64).write_bytes(b"new")
    for number in range(AGENTS_KEPT + 2):
        for ending in ("pyz", "cpython-311.zip"):
            path = cache.agents / f"{number}.{ending}"
            path.write_bytes(b"")
            os.utime(str(path), (number, number))
    for name in ("0", "5", "5.1234"):
        folder = cache.agents / name
        (folder / "rkbench_agent").mkdir(parents=True)
        os.utime(str(folder), (number, number))
    cache.purge()
    assert [path.name for path in cache.incoming.iterdir()] == ["0" * 64 + ".part"]
    assert sorted(path.name for path in cache.agents.iterdir()) == [
        "2.cpython-311.zip",
        "2.pyz",
        "3.cpython-311.zip",
        "3.pyz",
        "4.cpython-311.zip",
        "4.pyz",
        "5",
        "5.cpython-311.zip",
        "5.pyz",
    ]


@pytest.mark.parametrize("digest", ["../../etc/passwd", "abc", "A" * 64, DIGEST + "\n"])
def test_a_name_that_is_no_digest_never_becomes_a_path(tmp_path: Path, digest: str) -> None:
    with pytest.raises(StorageError) as refusal:
        Cache(str(tmp_path)).path(digest)
    assert refusal.value.kind == "usage"


def test_the_file_system_is_that_of_the_longest_mount_point(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("/dev/a / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/b /tmpfoo xfs rw 0 0\n")
    assert file_system(Path("/tmp/x"), mounts) == "tmpfs"
    assert file_system(Path("/tmpfoo"), mounts) == "xfs"
    assert file_system(Path("/usr/x"), mounts) == "ext4"


def put_and_say(cache: Path, line: bytes) -> List[Any]:
    """Have `put` take DATA, say `line` once it has, and return its answers."""
    environment = {**os.environ, "PYTHONPATH": str(AGENT)}
    arguments = [DIGEST, str(len(DATA)), "0", "stored", str(cache), "0", "-"]
    command = [sys.executable, "-m", "rkbench_agent", "put", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(DATA)
        process.stdin.flush()
        assert process.stdout.readline() == b"rkbench-put ready\n"
        said = process.stdout.readline() + process.communicate(line)[0]
    return [json.loads(answer) for answer in said.splitlines() if answer.startswith(b"{")]


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"nonsense\n",
        b"a b c d e f\n",
        b"x" * 10_000,
        b"\xff\xfe\n",
        b"../../etc/passwd 4 0 stored -\nroot",
    ],
)
def test_what_is_no_name_of_a_file_ends_put_and_what_it_took_stays(tmp_path: Path, line: bytes) -> None:
    first, *others = put_and_say(tmp_path, line)
    assert first == {"ok": True, "cached": False}
    assert [reply["error"] for reply in others] == ([] if line == b"\n" or len(line) > 5000 else ["usage"])
    assert [path.name for path in Cache(str(tmp_path)).objects.iterdir()] == [DIGEST]
