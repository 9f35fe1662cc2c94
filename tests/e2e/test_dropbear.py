"""Boards whose SSH server is dropbear, without SFTP: the whole job works there too."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from dropbear import Dropbear, why_not
from rkbench.files import local_file
from rkbench.session import open_session
from test_push import FP16, GOLDEN, INT8, TREE, Bench


@pytest.fixture
def small_board(tmp_path: Path) -> Iterator[Dropbear]:
    if why_not():
        pytest.skip(why_not())
    server = Dropbear(tmp_path / "dropbear", {"RKBENCH_SYS_ROOT": str(TREE)})
    yield server
    server.close()


def test_a_push_by_way_of_dropbear_brings_every_number(small_board: Dropbear, tmp_path: Path) -> None:
    board, bench, out = small_board.board, Bench(tmp_path), tmp_path / "out.json"
    bench.inventory.write_text(
        f'[boards.small]\nhost = "{board.host}"\nport = {board.port}\nuser = "{board.user}"\n'
        f'python = "{sys.executable}"\nruntime = "virtual"\nidentity_files = ["{small_board.client_key}"]\n'
    )
    known_hosts = (small_board.folder / "known_hosts").read_text()
    bench.inventory.with_name("bench.known_hosts").write_text(known_hosts)
    done = bench.run("push", FP16, INT8, "--board", "small", "--quick", "--golden", GOLDEN, "--json", out)
    bench.close()
    assert done.returncode == 0, done.stderr
    runs = json.loads(out.read_text())["runs"]
    assert [run["failure"] for run in runs] == [None, None]
    assert [run["outputs"][0]["case_count"] for run in runs] == [64, 64]
    cached = {path.name for path in (small_board.home / ".cache/rkbench/objects").iterdir()}
    assert {run["variant"]["sha256"] for run in runs} <= cached


def test_a_second_session_with_dropbear_sends_nothing(small_board: Dropbear) -> None:
    board = replace(small_board.board, python=sys.executable)
    sent = []
    for _ in range(2):
        with open_session(board) as session:
            sent.append(session.upload([local_file(FP16)])[0].sent_bytes > 0)
    assert sent == [True, False]
