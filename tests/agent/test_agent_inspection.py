"""What the doctor is told: libraries, device nodes, governors, traps, and the kernel's lines of a failure."""

from __future__ import annotations

import os
import shutil
import struct
from pathlib import Path
from typing import Any, Callable, Dict, Optional

import pytest
from agent_bench import TREES, AgentProcess, Bench, of_kind
from rkbench_agent.board.elf import identify_library
from rkbench_agent.board.environment import read_environment
from rkbench_agent.board.inspection import inspect_board, may_open
from rkbench_agent.board.kernel_log import KernelLog
from rkbench_agent.wire.board import GovernorFile, Library
from rkbench_agent.wire.messages import Failed, LoadMemory, Log

Start = Callable[..., AgentProcess]


def elf(machine: int, sections_end: int = 64, is_64_bit: bool = True) -> bytes:
    """Return the header of a library whose section table ends at `sections_end`, and zeros up to byte 200."""
    head = b"\x7fELF" + (b"\x02" if is_64_bit else b"\x01") + b"\x01\x01" + bytes(9)
    head += struct.pack("<HHI", 3, machine, 1)
    if is_64_bit:
        head += struct.pack("<QQQIHHHHHH", 0, 0, sections_end - 64, 0, 64, 0, 0, 64, 1, 0)
    else:
        head += struct.pack("<IIIIHHHHHH", 0, 0, sections_end - 40, 0, 52, 0, 0, 40, 1, 0)
    return head + bytes(200 - len(head))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A recorded rk3588 that a test may change."""
    shutil.copytree(str(TREES / "rk3588"), str(tmp_path / "tree"), symlinks=True)
    return tmp_path / "tree"


def put(root: Path, name: str, data: bytes = b"") -> Path:
    """Write a file of the board."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("data", "kind", "machine"),
    [
        (elf(183), "elf", "aarch64"),
        (elf(62), "elf", "x86_64"),
        (elf(40, is_64_bit=False), "elf", "arm"),
        (elf(183, sections_end=5000), "truncated", "aarch64"),
        (elf(183)[:30], "truncated", "aarch64"),
        (elf(9)[:200], "elf", "machine 9"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "git_lfs_pointer", None),
        (b"\n<!DOCTYPE html><html>", "html", None),
        (b"PK\x03\x04", "zip", None),
        (b"", "empty", None),
        (b"\0" * 100, "unknown", None),
    ],
)
def test_what_lies_in_the_place_of_a_library_is_named(
    tmp_path: Path, data: bytes, kind: str, machine: Optional[str]
) -> None:
    assert identify_library(put(tmp_path, "librknnrt.so", data)) == (kind, machine)


def test_a_library_that_is_not_there_is_unreadable(tmp_path: Path) -> None:
    assert identify_library(tmp_path / "librknnrt.so") == ("unreadable", None)


def test_every_librknnrt_is_found_once_with_its_version(tree: Path) -> None:
    text = b"librknnrt version: 2.3.2 (429f97ae6b@2025-04-09T09:09:27)\0"
    put(tree, "usr/lib/librknnrt.so", elf(183) + text)
    put(tree, "usr/lib64/librknnrt.so", b"<html>")
    (tree / "lib").symlink_to("usr/lib")
    assert inspect_board(tree, None)["libraries"] == [
        Library("/usr/lib/librknnrt.so", "elf", "aarch64", "2.3.2", 200 + len(text)),
        Library("/usr/lib64/librknnrt.so", "html", None, None, 6),
    ]


def test_the_nodes_of_the_npu_are_found_by_their_path_on_the_bus(tree: Path) -> None:
    (tree / "dev/dri/renderD129").chmod(0o660)
    nodes: Dict[str, Any] = {node.path: node for node in inspect_board(tree, None)["device_nodes"]}
    assert sorted(nodes) == ["/dev/dri/card1", "/dev/dri/renderD129"]
    render = nodes["/dev/dri/renderD129"]
    assert (render.kind, render.mode, render.openable) == ("drm_render", "0660", True)


def test_without_links_by_path_the_driver_in_sysfs_names_the_nodes(tree: Path) -> None:
    shutil.rmtree(str(tree / "dev/dri/by-path"))
    for name in ("card1", "renderD129"):  # links that lead back to where they stand are in no recorded tree
        folder = tree / "sys/devices/platform/fdab0000.npu/drm" / name
        (folder / "device").symlink_to("../../../fdab0000.npu")
    assert [node.path for node in inspect_board(tree, None)["device_nodes"]] == [
        "/dev/dri/card1",
        "/dev/dri/renderD129",
    ]


def test_a_node_that_only_sysfs_knows_is_not_there(tree: Path) -> None:
    shutil.rmtree(str(tree / "dev/dri"))
    found = inspect_board(tree, None)
    assert (found["device_nodes"], found["npu_driver"]) == ([], "rknpu")


def test_rocket_is_told_from_rknpu(tmp_path: Path) -> None:
    put(tmp_path, "dev/accel/accel0")
    put(tmp_path, "sys/class/accel/accel0/device/uevent", b"DRIVER=rocket\n")
    found = inspect_board(tmp_path, None)
    assert found["npu_driver"] == "rocket"
    assert [(node.path, node.kind) for node in found["device_nodes"]] == [("/dev/accel/accel0", "accel")]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("sys/class/accel/accel0/device/uevent", b"MODALIAS=platform:rknn\n"),
        ("sys/bus/platform/devices/fdab0000.npu/uevent", b"DRIVER=rocket\nOF_NAME=npu\n"),
        ("sys/module/rocket/refcnt", b"0\n"),
        ("sys/class/accel/accel1/device/uevent", b"MODALIAS=platform:rknn\n"),
        ("sys/bus/platform/drivers/rocket/fdab0000.npu/uevent", b""),
    ],
)
def test_rocket_is_known_by_each_of_its_signs(tmp_path: Path, path: str, text: bytes) -> None:
    put(tmp_path, path, text)
    assert inspect_board(tmp_path, None)["npu_driver"] == "rocket"


def test_of_two_drivers_in_a_kernel_the_one_that_the_npu_is_bound_to_counts(tmp_path: Path) -> None:
    put(tmp_path, "sys/module/rknpu/version", b"0.9.8\n")
    put(tmp_path, "sys/module/rocket/refcnt", b"0\n")
    assert inspect_board(tmp_path, None)["npu_driver"] == "rknpu"
    put(tmp_path, "sys/bus/platform/devices/fdab0000.npu/uevent", b"DRIVER=rocket\n")
    assert inspect_board(tmp_path, None)["npu_driver"] == "rocket"


def test_the_node_of_another_accelerator_is_not_the_npus(tmp_path: Path) -> None:
    put(tmp_path, "sys/class/accel/accel0/device/uevent", b"DRIVER=hailo\n")
    assert inspect_board(tmp_path, None)["npu_driver"] is None
    put(tmp_path, "sys/class/accel/accel1/device/uevent", b"MODALIAS=platform:rknn\n")
    for name in ("accel0", "accel1"):
        put(tmp_path, f"dev/accel/{name}")
    assert [node.path for node in inspect_board(tmp_path, None)["device_nodes"]] == ["/dev/accel/accel1"]


def test_rknpu_is_known_by_its_devfreq_which_rocket_has_not(tmp_path: Path) -> None:
    put(tmp_path, "sys/class/devfreq/27700000.npu/cur_freq", b"300000000\n")
    assert inspect_board(tmp_path, None)["npu_driver"] == "rknpu"


@pytest.mark.parametrize(
    ("line", "version"),
    [
        (b"[drm] Initialized rknpu 0.9.8 20240828 for 27700000.npu on minor 1\n", "0.9.8"),
        (b"RKNPU 22000000.npu: RKNPU: Initialized RKNPU driver: v0.9.8 for 20240828\n", "0.9.8"),
        (b"RKNPU fdab0000.npu: RKNPU: rknpu iommu is enabled, using iommu mode\n", None),
    ],
)
def test_without_its_files_the_log_tells_the_version_of_the_driver(
    tmp_path: Path, line: bytes, version: Optional[str]
) -> None:
    put(tmp_path, "dev/kmsg", line)
    put(tmp_path, "dev/rknpu")
    assert read_environment(tmp_path, None, tmp_path / "cache").driver_version == version


@pytest.mark.parametrize(
    ("name", "iommu"), [("iommu_group/type", True), ("subsystem/drivers_probe", False), ("uevent", None)]
)
def test_without_a_log_sysfs_tells_of_the_iommu(tmp_path: Path, name: str, iommu: Optional[bool]) -> None:
    put(tmp_path, f"sys/bus/platform/devices/fdab0000.npu/{name}")
    assert inspect_board(tmp_path, None)["iommu"] is iommu


def test_rknpu_without_a_node_or_debugfs_is_known_by_its_device(tmp_path: Path) -> None:
    put(tmp_path, "sys/bus/platform/devices/22000000.npu/uevent", b"DRIVER=RKNPU\n")
    assert inspect_board(tmp_path, None)["npu_driver"] == "rknpu"


def test_what_rknnlite_demands_in_a_container_is_listed(tree: Path) -> None:
    assert inspect_board(tree, None)["container_lacks"] is None
    put(tree, ".dockerenv")
    assert inspect_board(tree, None)["container_lacks"] == ["/usr/lib/librknnrt.so"]


@pytest.mark.parametrize(
    ("line", "iommu"),
    [
        ("6,1,1,-;RKNPU fdab0000.npu: RKNPU: rknpu iommu is enabled, using iommu mode\n", True),
        ("6,1,1,-;RKNPU fde40000.npu: RKNPU: rknpu iommu is disabled, using non-iommu mode\n", False),
    ],
)
def test_the_driver_says_whether_there_is_an_iommu(tree: Path, line: str, iommu: bool) -> None:
    put(tree, "dev/kmsg", line.encode())
    found = inspect_board(tree, None)
    assert (found["iommu"], found["kernel_log_readable"]) == (iommu, True)


def test_without_a_kernel_log_nothing_is_said_of_it(tree: Path) -> None:
    found = inspect_board(tree, None)
    assert (found["iommu"], found["kernel_log_readable"]) == (None, False)


def test_governors_are_listed_with_whether_they_can_be_set(tree: Path) -> None:
    files = {file.part: file for file in inspect_board(tree, None)["governor_files"]}
    assert sorted(files) == ["CPU", "DDR", "NPU"]
    assert files["NPU"] == GovernorFile(
        "NPU", "/sys/class/devfreq/fdab0000.npu/governor", "rknpu_ondemand", True
    )


def test_what_cannot_be_opened_cannot_be_set(tmp_path: Path) -> None:
    assert may_open(tmp_path / "absent", os.O_WRONLY) is False
    assert may_open(tmp_path, os.O_WRONLY) is False
    assert may_open(put(tmp_path, "file"), os.O_WRONLY) is True


def test_the_room_is_that_of_the_nearest_folder_that_is_there(tree: Path, tmp_path: Path) -> None:
    environment = read_environment(tree, None, tmp_path / "not/yet/there")
    assert environment.cache_free_bytes is not None
    assert environment.cache_free_bytes > 0
    assert inspect_board(tree, None)["cache_free_bytes"] is None
    assert environment.cache_dir == str(tmp_path / "not/yet/there")


def test_the_kernel_log_begins_where_it_was_opened_and_tells_of_npu_and_memory_only(tmp_path: Path) -> None:
    path = put(tmp_path, "dev/kmsg", b"3,1,10,-;RKNPU: job timeout, flags: 0x0: old\n")
    log = KernelLog(tmp_path)
    with path.open("ab") as file:
        file.write(b"6,2,20,-;usb 1-1: new device\n SUBSYSTEM=usb\n")
        file.write(b"3,3,30,-;RKNPU: job timeout, flags: 0x0\n3,4,40,-;cma: cma_alloc: alloc failed\n")
    assert log.lines() == ["RKNPU: job timeout, flags: 0x0", "cma: cma_alloc: alloc failed"]
    assert log.lines() == []
    log.close()


@pytest.mark.parametrize(
    "line",
    [
        "rockchip-pm-domain fd8d8000.power-management: failed to get ack on domain 'nputop', val=0x1",
        "Kernel panic - not syncing: panic_on_set_idle set ...",
        "Disabling IRQ #42",
        "vdd_npu_s0: Failed to enable",
        "python3[812]: segfault at 0 ip 00007f9a sp 00007fff in librknnrt.so[7f9a1000+6e0000]",
    ],
)
def test_the_kernels_lines_on_power_interrupts_and_the_runtime_are_among_them(
    tmp_path: Path, line: str
) -> None:
    put(tmp_path, "dev/kmsg", f"3,1,10,-;{line}\n6,2,20,-;usb 1-1: new device\n".encode())
    log = KernelLog(tmp_path, from_boot=True)
    assert log.lines() == [line]
    log.close()


def test_a_failed_run_brings_what_the_kernel_said_meanwhile(start: Start, bench: Bench, tree: Path) -> None:
    kmsg = put(tree, "dev/kmsg", b"3,1,1,-;RKNPU: job timeout, flags: 0x0: of yesterday\n")
    bench.root = tree
    agent = start(RKBENCH_VIRTUAL_BEHAVIOUR=bench.behaviour(hang={"stage": "first_inference"}))
    agent.send(bench.plan(bench.spec("a"), first_inference_timeout_s=2.0))
    agent.until(LoadMemory, lambda message: message.phase == "runtime_initialised")
    with kmsg.open("ab") as file:
        file.write(b"3,2,2,-;RKNPU: job timeout, flags: 0x0: irq status: 0x0\n6,3,3,-;wlan0: up\n")
    log = agent.until(Log, lambda message: message.stream == "kernel")
    assert (log.run, log.text) == ("a", "RKNPU: job timeout, flags: 0x0: irq status: 0x0")
    assert agent.until(Failed).reason == "hang"
    assert of_kind([log], Log) == [log]
