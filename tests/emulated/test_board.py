"""The emulated board is a board: what a program on it sees, and what is left when it is gone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from emulated_board import BoardFactory

pytestmark = [pytest.mark.emulated, pytest.mark.xdist_group("T1")]
LOOK = """
import os, platform
print(platform.machine(), open("/proc/device-tree/compatible").read().split("\\0")[-2])
print(os.path.exists("/.dockerenv"), open("/sys/class/devfreq/{npu}/governor").read().strip())
print(open("/proc/meminfo").readline().split()[1])
"""


@pytest.mark.parametrize(
    ("soc", "npu", "memory_kib"), [("rk3588", "fdab0000.npu", 16247052), ("rk3568", "fde40000.npu", 4004864)]
)
def test_a_program_sees_the_board_and_not_the_machine(
    soc: str, npu: str, memory_kib: int, emulated_board: BoardFactory
) -> None:
    done = emulated_board(soc, tier="T1").python(LOOK.format(npu=npu))
    assert done.stdout.splitlines() == [f"aarch64 rockchip,{soc}", "False rknpu_ondemand", str(memory_kib)]


def test_a_user_without_rights_can_log_in(emulated_board: BoardFactory) -> None:
    board = emulated_board("rk3588", tier="T1", env={"RKBENCH_TEST": "another user"})
    board.user = "rock"
    assert board.run("id -u; echo $HOME $RKBENCH_TEST").stdout == "1000\n/home/rock another user\n"


def test_a_stopped_board_leaves_no_process_and_no_registration(emulated_board: BoardFactory) -> None:
    before = Path("/proc/mounts").read_text()
    board = emulated_board("rk3588", tier="T1", env={"RKBENCH_TEST": "to be stopped"})
    state = str(board.folder.parent)
    board.stop()
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert state not in running
    assert Path("/proc/mounts").read_text() == before


def test_a_board_switches_itself_off_when_the_tests_are_gone(emulated_board: BoardFactory) -> None:
    board = emulated_board("rk3588", tier="T1", env={"RKBENCH_TEST": "to be left alone"})
    assert board.process.stdin is not None
    board.process.stdin.close()  # as the kernel does for a process that is killed
    assert board.process.wait(timeout=30) is not None
