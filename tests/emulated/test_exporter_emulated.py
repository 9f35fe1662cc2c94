"""The exporter on emulated boards: BusyBox, no systemd, aarch64 Python."""

from __future__ import annotations

import socket
import time
import urllib.request

import pytest
from emulated_board import BoardFactory, EmulatedBoard
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from rkbench.boards.exporter.installation import install_exporter, uninstall_exporter
from rkbench.boards.model import Board

pytestmark = [pytest.mark.emulated, pytest.mark.xdist_group("T1")]
SERVICE = "/etc/init.d/S95rkbench-exporter"


def reach(board: EmulatedBoard, user: str) -> Board:
    """Return the emulated board as the host knows it, with a free port for the exporter."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    return Board(
        "emulated",
        board.host,
        board.port,
        user,
        identity_files=(board.key_file,),
        known_hosts_files=(board.known_hosts,),
        exporter_port=port,
    )


def scrape(board: Board) -> dict[str, Sample]:
    """Return one scrape by name; of several series with one name, the last."""
    url = f"http://127.0.0.1:{board.exporter_port}/metrics"
    accept = {"Accept": "application/openmetrics-text"}
    with urllib.request.urlopen(urllib.request.Request(url, headers=accept), timeout=60) as page:
        families = text_string_to_metric_families(page.read().decode())
        return {sample.name: sample for family in families for sample in family.samples}


def await_answer(board: Board, limit_s: float = 60.0) -> None:
    """Return once the exporter answers: Python starts slowly under qemu."""
    deadline = time.monotonic() + limit_s
    with socket.socket() as trial:
        while trial.connect_ex(("127.0.0.1", board.exporter_port)) != 0:
            assert time.monotonic() < deadline, "no answer"
            time.sleep(0.1)


def traces(board: EmulatedBoard) -> list[str]:
    """Return every file and process of an exporter on the board."""
    files = board.run("find / -xdev -name '*rkbench-exporter*'; ls -d /root/.cache/rkbench").stdout.split()
    return [*files, *board.run("ps | grep '[r]kbench-exporter.pyz'").stdout.splitlines()]


def test_on_busybox_it_is_a_script_that_starts_at_boot(emulated_board: BoardFactory) -> None:
    board = emulated_board("rk3588", tier="T1", env={"RKBENCH_TEST": "exporter"})
    assert "BusyBox" in board.run("ls --help 2>&1 | head -1").stdout
    board.run("mkdir -p /etc/init.d; touch /etc/init.d/rcS")
    target = reach(board, "root")
    assert traces(board) == []
    done = install_exporter(target)
    assert (done.service, done.changed, done.note) == ("script", True, "")
    assert scrape(target)["rkbench_npu_clock_hertz"].value == 1e9
    assert install_exporter(target).changed is False

    assert board.run(f"{SERVICE} status").stdout.startswith("running: process ")
    assert board.run(f"{SERVICE} stop").returncode == 0
    assert board.run(f"{SERVICE} status").returncode == 3
    assert board.run(f"{SERVICE} start").returncode == 0
    await_answer(target)
    assert install_exporter(target).changed is False

    assert uninstall_exporter(target) is True
    assert traces(board) == []


def test_a_user_without_rights_can_install_it(emulated_board: BoardFactory) -> None:
    target = reach(emulated_board("rk3588", tier="T1"), "rock")
    try:
        done = install_exporter(target)
        samples = scrape(target)
    finally:
        uninstall_exporter(target)
    assert done.note.startswith("it does not start at boot by itself")
    assert samples["rkbench_npu_max_clock_hertz"].value == 1e9
    assert samples["rkbench_memory_total_bytes"].value == 16247052 * 1024
    assert samples["rkbench_board_info"].labels["simulated"] == "true"  # the processor is emulated
