"""The exporter is put on a board over SSH, answers there, and is taken off again without a trace."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from bench_command import run_bench
from ports import free_port
from prometheus_client.parser import text_string_to_metric_families
from rkbench.boards.agent.boot import AgentZip
from rkbench.boards.exporter.installation import install_exporter, uninstall_exporter
from rkbench.boards.exporter.zipapp import build_exporter
from rkbench.boards.inventory import add_board, load_inventory
from rkbench.boards.model import Board
from rkbench.boards.virtual.board import VirtualBoard
from rkbench.boards.virtual.trees import copy_tree
from rkbench.errors import BoardError
from sshd import Sshd

OLD_PYTHONS = sorted((Path.home() / ".pyenv/versions").glob("3.8.*/bin/python"))
SYSTEMCTL = """\
#!/bin/sh
# Stands in for systemctl: starts and stops what ExecStart says, and writes down what it was told.
echo "$*" >>"$HOME/systemctl.log"
unit="$RKBENCH_SYS_ROOT/etc/systemd/system/rkbench-exporter.service"
case "$1" in
  restart)
    eval "$(sed -n s/^ExecStart=//p "$unit") </dev/null >/dev/null 2>&1 &"
    echo $! >"$HOME/pid" ;;
  disable) kill "$(cat "$HOME/pid")"; rm "$HOME/pid" ;;
esac
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The recorded tree of an rk3588."""
    copy_tree("rk3588", tmp_path / "tree")
    return tmp_path / "tree"


@pytest.fixture
def board(start_sshd: Callable[..., Sshd], tree: Path) -> Iterator[Board]:
    """A board behind a real sshd, with a free port for the exporter; its exporter is gone afterwards."""
    server = start_sshd(environment={"RKBENCH_SYS_ROOT": str(tree)})
    board = replace(server.board, python=sys.executable, exporter_port=free_port())
    yield board
    uninstall_exporter(board)


def test_on_a_real_sshd_it_answers_and_leaves_nothing(board: Board, tmp_path: Path) -> None:
    before = files(tmp_path)
    done = install_exporter(board)
    assert (done.service, done.changed, done.debugfs) == ("script", True, False)
    assert done.digest == build_exporter().digest
    assert "does not start at boot" in done.note
    values = scrape(board.exporter_port)
    assert values["rkbench_npu_clock_hertz"] == 1e9
    assert values["rkbench_board_info"] == 1
    assert uninstall_exporter(board) is True
    assert files(tmp_path) == before
    assert not is_open(board.exporter_port)
    assert uninstall_exporter(board) is False


def test_a_second_installation_changes_nothing(board: Board) -> None:
    first = install_exporter(board)
    pid = scrape_pid(board)
    second = install_exporter(board)
    assert (first.changed, second.changed) == (True, False)
    assert scrape_pid(board) == pid


def test_another_version_takes_its_place(
    board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(tmp_path)
    install_exporter(board)
    pid = scrape_pid(board)
    other = build_exporter().data + b"a comment in the archive"
    newer = AgentZip(hashlib.sha256(other).hexdigest(), other)
    monkeypatch.setattr("rkbench.boards.exporter.installation.build_exporter", lambda: newer)
    done = install_exporter(board)
    assert (done.changed, done.digest) == (True, newer.digest)
    assert scrape_pid(board) != pid
    uninstall_exporter(board)
    assert files(tmp_path) == before


def test_another_port_moves_it(board: Board) -> None:
    install_exporter(board)
    moved = replace(board, exporter_port=free_port())
    assert install_exporter(moved).changed is True
    assert is_open(moved.exporter_port)
    assert not is_open(board.exporter_port)


def test_a_dead_exporter_is_started_again(board: Board) -> None:
    install_exporter(board)
    os.kill(scrape_pid(board), 9)
    assert install_exporter(board).changed is True
    assert scrape(board.exporter_port)["rkbench_benchmark_running"] == 0


def test_a_port_that_is_taken_is_told_and_nothing_is_left(board: Board, tmp_path: Path) -> None:
    before = files(tmp_path)
    with socket.create_server(("0.0.0.0", board.exporter_port)):
        with pytest.raises(BoardError, match=f"port {board.exporter_port} is taken by another program"):
            install_exporter(board)
        uninstall_exporter(board)
    assert files(tmp_path) == before


def test_it_runs_on_the_oldest_python_of_boards(board: Board) -> None:
    if not OLD_PYTHONS:
        pytest.skip("no Python 3.8 in ~/.pyenv")
    install_exporter(replace(board, python=str(OLD_PYTHONS[0])))
    assert scrape(board.exporter_port)["rkbench_npu_clock_hertz"] == 1e9


def test_where_there_is_systemd_it_becomes_a_hardened_unit(
    start_sshd: Callable[..., Sshd], tree: Path, tmp_path: Path
) -> None:
    (tree / "run/systemd/system").mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/systemctl").write_text(SYSTEMCTL)
    (tmp_path / "bin/systemctl").chmod(0o755)
    path = f"{tmp_path / 'bin'}:/usr/bin:/bin"
    server = start_sshd(environment={"RKBENCH_SYS_ROOT": str(tree), "PATH": path})
    board = replace(server.board, python=sys.executable, exporter_port=free_port())
    before = files(tmp_path)

    done = install_exporter(board)
    unit = tree / "etc/systemd/system/rkbench-exporter.service"
    assert (done.service, done.note) == ("systemd", "")
    assert "InaccessiblePaths=-/sys/kernel/debug" in unit.read_text()
    assert verify(unit) == ""
    assert scrape(board.exporter_port)["rkbench_npu_clock_hertz"] == 1e9

    assert install_exporter(board, debugfs=True).changed is True
    assert "/sys/kernel/debug" not in unit.read_text()
    uninstall_exporter(board)
    log = (server.home / "systemctl.log").read_text().splitlines()
    assert log[:3] == [
        "daemon-reload",
        "enable --quiet rkbench-exporter.service",
        "restart rkbench-exporter.service",
    ]
    assert log[-2:] == ["disable --now --quiet rkbench-exporter.service", "daemon-reload"]
    (server.home / "systemctl.log").unlink()
    assert files(tmp_path) == before


def test_on_a_virtual_board_with_a_home_it_stays(tmp_path: Path) -> None:
    inventory, port = tmp_path / "bench.toml", free_port()
    add_board(inventory, Board("v1", "virtual", home=tmp_path / "v1"))
    options = ("--inventory", str(inventory))
    added = run_bench("boards", "install-exporter", "v1", "--port", str(port), *options)
    try:
        assert (added.returncode, added.stderr) == (0, "")
        assert f"runs at 0.0.0.0:{port} by script" in added.stdout
        assert scrape(port)["rkbench_npu_max_clock_hertz"] == 1e9
        assert load_inventory(inventory).boards[0].exporter_port == port
    finally:
        removed = run_bench("boards", "install-exporter", "v1", "--uninstall", *options)
    assert removed.stdout == "v1: the exporter is gone\n"
    assert files(tmp_path / "v1") == set()


def test_a_virtual_board_without_a_home_is_refused() -> None:
    done = run_bench("boards", "install-exporter", "virtual")
    assert done.returncode == 2
    assert "without a home lives no longer than the command" in done.stderr


def test_a_virtual_board_runs_it_like_any_other(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with VirtualBoard(Board("v", "virtual", simulated=True, home=home, exporter_port=free_port())) as virtual:
        assert install_exporter(virtual.board).service == "script"
        assert scrape(virtual.board.exporter_port)["rkbench_npu_clock_hertz"] == 1e9
        assert uninstall_exporter(virtual.board) is True
    assert files(home) == set()


def scrape(port: int) -> dict[str, float]:
    """Return the metrics of the exporter on `port`; of several series with one name, the last."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as page:
        text = page.read().decode()
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scrape_pid(board: Board) -> int:
    """Return the process that serves the board's exporter port, by the file it was started from."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # ended meanwhile
        if f"0.0.0.0:{board.exporter_port}".encode() in words and b"serve" in words:
            return int(entry.name)
    raise AssertionError("no exporter runs")


def is_open(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def files(folder: Path) -> set[str]:
    """Return all files under `folder`; what sshd and SSH keep of themselves is left out."""
    kept = (".log", "/log", "known_hosts")
    found = (path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())
    return {str(path) for path in found if not str(path).endswith(kept)}


def verify(unit: Path) -> str:
    """Return what systemd itself finds wrong with a unit file, as far as it speaks of its lines."""
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], check=False, capture_output=True, text=True
    )
    return "\n".join(line for line in done.stderr.splitlines() if unit.name in line)
