"""kill -9 of `bench push` at random moments: the board is free and as it was, the store is whole."""

from __future__ import annotations

import fcntl
import hashlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from bench_command import BENCH
from rkbench.boards.inventory import add_board
from sshd import Sshd

DATA = Path(__file__).parents[1] / "data"
MODELS = (DATA / "models/dwm_c64_m2_rk3588_i8.rknn", DATA / "models/mb_gap7_rk3588_i8.rknn")
GOVERNOR = "sys/class/devfreq/fdab0000.npu/governor"
#: `make test` does one, `make kills` as many as the first version was tried with.
COUNT = 42 if os.environ.get("RKBENCH_KILLS") else 1
LONGEST_S = 4.0


@pytest.fixture
def server(start_sshd: Callable[..., Sshd], tmp_path: Path) -> Sshd:
    """A board with an own copy of the tree of an RK3588, in the inventory as `b`."""
    tree = tmp_path / "tree"
    shutil.copytree(DATA / "boards/rk3588", tree, symlinks=True)
    running = start_sshd(environment={"RKBENCH_SYS_ROOT": str(tree)})
    board = replace(running.board, name="b", runtime="virtual", soc="rk3588", python=sys.executable)
    add_board(tmp_path / "bench.toml", board)
    (tmp_path / ".ssh").mkdir()
    shutil.copy(board.known_hosts_files[0], tmp_path / ".ssh/known_hosts")
    return running


def start_push(folder: Path) -> subprocess.Popen[bytes]:
    words = ["push", *map(str, MODELS), "--board", "b", "--pin", "--quiet", "--iterations", "200", "--quick"]
    command = [sys.executable, "-c", BENCH, *words, "--store", str(folder / "store.sqlite")]
    environment = {**os.environ, "HOME": str(folder)}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def test_a_client_that_is_killed_leaves_the_board_and_the_store_whole(
    server: Sshd, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, governor = random.Random("client"), (tmp_path / "tree" / GOVERNOR).read_text()
    faults: list[str] = []
    for trial in range(COUNT):
        with start_push(tmp_path) as client:
            try:
                client.wait(source.uniform(0.0, LONGEST_S))
            except subprocess.TimeoutExpired:
                client.kill()
        server.await_no_processes()
        faults += [f"trial {trial}: {fault}" for fault in what_is_wrong(server, tmp_path)]
        if (tmp_path / "tree" / GOVERNOR).read_text().strip() != governor.strip():
            faults.append(f"trial {trial}: the NPU's governor is not as it was")
        if faults:
            break
    if COUNT > 1:
        with capsys.disabled():
            print(
                f"\nkill -9 of client: {trial + 1 - bool(faults)} held, {int(bool(faults))} failed", end=" "
            )
    assert faults == []
    with start_push(tmp_path) as last:
        assert last.stderr is not None
        said = last.stderr.read().decode()
    assert last.returncode == 0, said


def what_is_wrong(server: Sshd, folder: Path) -> Iterator[str]:
    """Yield what is not as it should be on the board and in the store."""
    cache = server.home / ".cache/rkbench"
    for path in (cache / "objects").glob("*"):
        if hashlib.sha256(path.read_bytes()).hexdigest() != path.name:
            yield f"an object with another content: {path.name}"
    if (cache / "lock").exists():
        with (cache / "lock").open("rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield "a lock that is held"
    if (folder / "store.sqlite").exists():
        with sqlite3.connect(folder / "store.sqlite") as store:
            if store.execute("pragma integrity_check").fetchall() != [("ok",)]:
                yield "a store that is damaged"
        store.close()
