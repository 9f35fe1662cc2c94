"""The recording of a board: what is in it, and what must never be."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from agent_bench import TREES
from rkbench_agent.recorder.anonymous import clean
from rkbench_agent.recorder.recording import record

#: What would tell whose board it is.
PLANTED = (
    "a1b2c3d4e5f60718",  # a SoC's serial number
    "3d5a63f7-e85b-4637-af14-a6963f0f48d8",
    "614e0000-0000",
    "c0:84:7d:38:be:2f",
    "192.168.128.137",
    "fe80::c284:7dff:fe38:be2f",
    "2001:db8:0:1:c284:7dff:fe38:be2f",
    "karlheinz",
    "bastelkeller",
    "karlheinz@bastelkeller.example",
    "7958ea63213e669b",
    "7958106321306691",
)


def put(tree: Path, name: str, text: str) -> None:
    path = tree / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A board that says everywhere whose it is."""
    root = tmp_path / "root"
    shutil.copytree(TREES / "rk3588", root, symlinks=True)
    every = " ".join(PLANTED)
    version = (root / "proc/version").read_text().strip()
    put(root, "proc/version", f"{version} ({PLANTED[9]}) {every}\n")
    put(root, "proc/device-tree/serial-number", PLANTED[0])
    put(root, "proc/cmdline", f"root=PARTUUID={PLANTED[2]} androidboot.serialno={PLANTED[0]}\n")
    put(root, "proc/sys/kernel/hostname", "bastelkeller\n")
    put(root, "etc/machine-id", PLANTED[0] * 2)
    put(root, "sys/class/net/eth0/address", PLANTED[3])
    put(root, "sys/class/thermal/thermal_zone0/policy", every)
    put(
        root,
        "sys/kernel/debug/dma_buf/bufinfo",
        "Dma-buf Objects:\n0004096 karlheinz\nTotal 1 objects, 4096 bytes\n",
    )
    put(
        root,
        "dev/kmsg",
        f"6,1,1,-;Kernel command line: npu root=PARTUUID={PLANTED[2]} serial={PLANTED[0]}\n"
        f"6,2,2,-;RKNPU fdab0000.npu: {every}\n"
        f"6,3,3,-;oom-kill: task=karlheinz\n6,4,4,-;wlan0: {PLANTED[3]}\n",
    )
    return root


def test_nothing_that_tells_whose_board_it_is_leaves_it(tree: Path) -> None:
    recording = record(tree, ["karlheinz", "bastelkeller", "rock-5b"])
    for part in recording.values():
        for path, text in part.items():
            assert [word for word in PLANTED if word in path + text] == [], path


def test_what_a_board_is_called_by_its_maker_stays(tree: Path) -> None:
    files = record(tree, ["rock-5b", "karlheinz"])["files"]
    assert files["proc/device-tree/compatible"] == "radxa,rock-5b\0rockchip,rk3588\0"
    assert files["dev/kmsg"].startswith("RKNPU fdab0000.npu: ")


@pytest.mark.parametrize(
    "text",
    [
        "100@1000000000Hz",
        "NPU load:  Core0:  0%, Core1:  0%, Core2:  0%,",
        "RKNPU ff300000.npu: can't request region for resource [mem 0xff300000-0xff30ffff]",
        "RKNPU 27700000.npu: nbuf region: [0x000000003fe80000, 0x000000003ff80000)",
        "[drm] Initialized rknpu 0.9.8 20240828 for fdab0000.npu on minor 1",
        "gcc version 10.3.1 20210621 (GNU Toolchain for the A-profile Architecture 10.3-2021.07 (arm-10.29))",
        "OF_COMPATIBLE_0=rockchip,rk3588-rknpu",
        "         :200000000300000000400000000600000000800000000   time(ms)",
        "MODALIAS=platform:rknn",
    ],
)
def test_what_tells_of_the_board_alone_stays_as_it_is(text: str) -> None:
    assert clean(text, ["karlheinz"]) == text


def test_files_that_wake_or_crash_the_npu_are_not_opened(tree: Path) -> None:
    for name in ("volt", "freq"):
        path = tree / "sys/kernel/debug/rknpu" / name
        path.unlink()
        os.mkfifo(str(path))  # whoever opens it hangs
    files = record(tree, [])["files"]
    assert files["sys/kernel/debug/rknpu/version"] == "RKNPU driver: v0.9.8\n"
    assert not {name for name in files if name.endswith(("/volt", "/freq", "serial-number"))}
