"""The doctor's verdicts, from what the agent read: each condition, and what mends it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rkbench.boards.doctor.checks import board_checks, unreached_checks
from rkbench.catalogue.check import Check, worst
from rkbench.errors import (
    AuthenticationError,
    BoardError,
    ConnectError,
    HostKeyError,
    NoPythonError,
    NoSpaceError,
)
from rkbench_agent.wire.board import DeviceNode, Environment, GovernorFile, Holder, Library

NOW_NS = 1_795_000_000_000_000_000
LIBRARY = Library("/usr/lib/librknnrt.so", "elf", "aarch64", "2.3.2", 7_000_000)
RENDER = DeviceNode("/dev/dri/renderD129", "drm_render", "0660", "root", "render", openable=True)
CARD = replace(RENDER, path="/dev/dri/card1", kind="drm_card", group="video")
NPU_GOVERNOR = GovernorFile(
    "NPU", "/sys/class/devfreq/fdab0000.npu/governor", "rknpu_ondemand", settable=True
)
#: A board in the best of health.
HEALTHY = Environment(
    soc="rk3588",
    board_model="Radxa ROCK 5B",
    compatible=["radxa,rock-5b", "rockchip,rk3588"],
    kernel="6.1.115-vendor-rk35xx",
    architecture="aarch64",
    driver_version="0.9.8",
    runtime_version="2.3.2",
    runtime_path="/usr/lib/librknnrt.so",
    lite_version="2.5.0",
    numpy_version="2.2.6",
    psutil_version="7.2.2",
    python_version="3.11.2",
    npu_cores=3,
    user="root",
    is_root=True,
    unix_ns=NOW_NS,
    modules={"rknnlite": True, "numpy": True, "psutil": True, "ruamel": True},
    libraries=[LIBRARY],
    elf_machine="aarch64",
    device_nodes=[RENDER, CARD],
    npu_driver="rknpu",
    iommu=True,
    cma_total_bytes=268_435_456,
    cma_free_bytes=200_000_000,
    governor_files=[NPU_GOVERNOR],
    sensors={"npu_load": True, "npu_clock": True, "ddr_clock": True, "temperature": True},
    kernel_log_readable=True,
    cache_dir="/root/.cache/rkbench",
    cache_free_bytes=8_000_000_000,
    groups=["root"],
)


def find(code: str, runtime: str = "lite", **changes: Any) -> Check:
    """Return the worst check of that code on the healthy board with `changes`."""
    checks = board_checks(replace(HEALTHY, **changes), runtime, NOW_NS)
    return max((check for check in checks if check.code == code), key=lambda check: check.verdict == "fail")


def test_a_healthy_board_passes_every_check() -> None:
    checks = board_checks(HEALTHY, "lite", NOW_NS)
    assert [check.code for check in checks if check.verdict != "ok"] == []
    assert [check.code for check in checks] == [
        *("soc", "driver", "device_node", "runtime", "lite", "python", "numpy", "psutil", "ruamel"),
        *("iommu", "governors", "sensors", "rights", "kernel_log", "free_space", "clock"),
    ]


@pytest.mark.parametrize(
    ("code", "changes", "verdict", "found", "fix"),
    [
        ("driver", {"driver_version": None, "npu_driver": None}, "fail", "no rknpu driver", "modprobe rknpu"),
        ("driver", {"npu_driver": "rocket"}, "fail", "rocket", "vendor's kernel"),
        ("driver", {"driver_version": "0.4.2"}, "fail", "requires 0.7.0", "update the board's kernel"),
        ("driver", {"driver_version": "0.8.2"}, "warn", "recommends 0.8.8", "update the board's kernel"),
        ("device_node", {"device_nodes": []}, "fail", "/dev/dri has no node", "dmesg | grep -i rknpu"),
        (
            "device_node",
            {"device_nodes": [], "container_lacks": ["/dev/dri/renderD129"]},
            "fail",
            "/dev/dri has no node",
            "--device /dev/dri",
        ),
        (
            "permission",
            {
                "device_nodes": [replace(RENDER, openable=False), replace(CARD, openable=False)],
                "user": "rock",
            },
            "fail",
            "rock may not open /dev/dri/renderD129 and /dev/dri/card1",
            "sudo usermod -aG render,video rock",
        ),
        (
            "permission",
            {"device_nodes": [RENDER, replace(CARD, openable=False)], "user": "rock"},
            "warn",
            "rock may not open /dev/dri/card1",
            "sudo usermod -aG video rock",
        ),
        (
            "permission",
            {"device_nodes": [replace(RENDER, group="root", openable=False)], "user": "rock"},
            "fail",
            "0660 root:root",
            "/etc/udev/rules.d/",
        ),
        (
            "permission",
            {
                "device_nodes": [
                    DeviceNode("/dev/rknpu", "rknpu", "0600", "root", "root", openable=False),
                ],
                "user": "rock",
            },
            "fail",
            "/dev/rknpu (0600 root:root); rock may not open /dev/rknpu",
            'SUBSYSTEM=="misc", KERNEL=="rknpu", GROUP="render", MODE="0660"\\n\' | sudo tee',
        ),
        (
            "permission",
            {"device_nodes": [replace(RENDER, mode="0600", openable=False)], "user": "rock"},
            "fail",
            "0600 root:render",
            'SUBSYSTEM=="drm"',
        ),
        (
            "soc",
            {"chip": "rk3582", "npu_cores": 2},
            "ok",
            "rk3582 (an rk3588), Radxa ROCK 5B, Linux 6.1.115-vendor-rk35xx on aarch64; 2 NPU cores",
            "",
        ),
        (
            "sensors",
            {
                "sensors": {"npu_load": False, "npu_clock": True},
                "sensors_absent": {"npu_load": "/sys/class/devfreq/x.npu/load: no load: '100@8Hz'"},
                "is_root": False,
            },
            "warn",
            "NPU clock; not readable: NPU load (/sys/class/devfreq/x.npu/load: no load: '100@8Hz')",
            "log in as root",
        ),
        (
            "sensors",
            {"sensors": {"npu_load": False, "temperature": True}, "npu_driver": "rocket"},
            "warn",
            "temperatures; not readable: NPU load",
            "",
        ),
        ("runtime", {"libraries": []}, "fail", "no librknnrt.so", "put it at /usr/lib/librknnrt.so"),
        (
            "runtime_file",
            {"libraries": [replace(LIBRARY, kind="html", machine=None)]},
            "fail",
            "a web page, not the library",
            "put it at /usr/lib/librknnrt.so",
        ),
        (
            "runtime_file",
            {"libraries": [replace(LIBRARY, machine="arm")]},
            "fail",
            "built for arm, this Python runs on aarch64",
            "put it at /usr/lib/librknnrt.so",
        ),
        (
            "runtime",
            {"libraries": [LIBRARY, replace(LIBRARY, path="/usr/lib64/librknnrt.so", version="1.5.2")]},
            "warn",
            "2.3.2 in /usr/lib/librknnrt.so, 1.5.2 in /usr/lib64/librknnrt.so",
            "keep one",
        ),
        ("lite", {"lite_version": None, "modules": {}}, "fail", "not installed", "pip install rknn-toolkit"),
        ("numpy", {"numpy_version": None, "modules": {}}, "fail", "not installed", "pip install numpy"),
        ("psutil", {"psutil_version": None, "modules": None}, "fail", "not installed", "pip install psutil"),
        ("ruamel", {"modules": {"ruamel": False}}, "fail", "not installed", "pip install ruamel.yaml"),
        (
            "container",
            {"container_lacks": ["/dev/dri/renderD129", "/proc/device-tree/compatible"]},
            "fail",
            "RKNNLite demands what is missing: /dev/dri/renderD129, /proc/device-tree/compatible",
            "--device /dev/dri --security-opt systempaths=unconfined (users report",
        ),
        (
            "iommu",
            {"soc": "rk3568", "memory_total_bytes": 8_200_000_000},
            "warn",
            "rk3568 with 8.20 GB and the NPU's iommu on",
            "GFP_DMA32",
        ),
        (
            "iommu",
            {"iommu": False, "cma_free_bytes": 14_000_000, "cma_total_bytes": 16_777_216},
            "warn",
            "CMA 14.0 MB free of 16.8 MB",
            "cma=256M",
        ),
        (
            "governors",
            {"governor_files": [replace(NPU_GOVERNOR, settable=False)], "user": "rock"},
            "warn",
            "rock may not set them",
            "echo performance | sudo tee $f",
        ),
        (
            "sensors",
            {"sensors": {"npu_load": False, "temperature": True}},
            "warn",
            "temperatures; not readable: NPU load",
            "mount -t debugfs",
        ),
        (
            "holder",
            {"holder": Holder("ann@desk", NOW_NS, "nightly")},
            "warn",
            "held by ann@desk (nightly) since 2026-11-18 11:06:40 UTC",
            "--wait",
        ),
        ("free_space", {"cache_free_bytes": 300_000_000}, "warn", "300 MB", "cache_dir"),
        ("free_space", {"cache_free_bytes": 3_000_000}, "fail", "3.00 MB", "cache_dir"),
        ("clock", {"unix_ns": 5_000_000_000}, "warn", "1970-01-01", "timedatectl set-ntp true"),
        (
            "clock",
            {"unix_ns": NOW_NS - 7_200_000_000_000},
            "warn",
            "2 h 0 min behind this computer",
            "timedatectl set-ntp true",
        ),
        ("soc", {"soc": "rk3399pro"}, "warn", "no SoC whose NPU this program knows", "converted"),
        (
            "soc",
            {"soc": None, "compatible": ["raspberrypi,4-model-b"]},
            "fail",
            "raspberrypi,4-model-b",
            "RK3566, RK3568 or RK3588",
        ),
        (
            "soc",
            {"soc": None, "compatible": None, "architecture": "x86_64"},
            "fail",
            "on x86_64: no device tree",
            "--board virtual",
        ),
    ],
)
def test_every_lack_has_its_verdict_and_its_cure(
    code: str, changes: dict[str, Any], verdict: str, found: str, fix: str
) -> None:
    check = find(code, **changes)
    assert check.verdict == verdict
    assert found in check.found
    assert fix in check.fix


def test_a_broken_library_beside_a_good_one_is_a_warning_where_rknnlite_does_not_load_it() -> None:
    broken = replace(LIBRARY, path="/usr/local/lib/librknnrt.so", kind="empty")
    assert find("runtime_file", libraries=[LIBRARY, broken]).verdict == "warn"
    moved = replace(LIBRARY, path="/usr/lib64/librknnrt.so")
    assert find("runtime_file", libraries=[moved, replace(LIBRARY, kind="empty")]).verdict == "fail"


def test_a_package_without_a_version_is_there_all_the_same() -> None:
    checks = board_checks(replace(HEALTHY, lite_version=None, numpy_version=None), "lite", NOW_NS)
    assert worst(checks) == "ok"
    assert next(check.found for check in checks if check.code == "lite") == "installed"


def test_the_c_api_does_without_rknnlite() -> None:
    checks = board_checks(
        replace(HEALTHY, lite_version=None, psutil_version=None, modules={"numpy": True}), "capi", NOW_NS
    )
    assert worst(checks) == "ok"


def test_a_computer_that_is_no_board_is_not_told_how_to_start_containers() -> None:
    desk = Environment(architecture="x86_64", container_lacks=["/dev/dri/renderD129"], is_root=True)
    checks = {check.code: check for check in board_checks(desk, "lite", NOW_NS)}
    assert "container" not in checks
    assert checks["device_node"].fix == ""


def test_the_virtual_runtime_needs_neither_driver_nor_library() -> None:
    bare = Environment(soc="rk3588", python_version="3.11.2", numpy_version="2.2.6", simulated=True)
    assert worst(board_checks(bare, "virtual", NOW_NS)) == "ok"


def test_a_clock_that_was_not_compared_is_not_doubted() -> None:
    checks = board_checks(replace(HEALTHY, unix_ns=NOW_NS - 10**13), "lite")
    assert worst(checks) == "ok"


def test_an_agent_that_says_nothing_of_all_this_gets_a_verdict_too() -> None:
    checks = board_checks(Environment(), "lite", NOW_NS)
    assert [check.code for check in checks if check.verdict == "fail"] == [
        *("soc", "driver", "device_node", "runtime", "lite", "numpy")
    ]


@pytest.mark.parametrize(
    ("error", "codes", "fix"),
    [
        (ConnectError("no SSH answer", hint="check power"), ["ssh"], "check power"),
        (HostKeyError("unknown", hint="bench boards add"), ["host_key"], "bench boards add"),
        (AuthenticationError("no key", hint="ssh-copy-id"), ["login"], "ssh-copy-id"),
        (NoSpaceError("full", hint="free some"), ["ssh", "free_space"], "free some"),
        (NoPythonError("none there", hint="--python"), ["ssh", "python"], "apt-get install -y python3"),
        (NoPythonError("3.6; needs 3.8", hint="--python"), ["ssh", "python"], "--python"),
        (BoardError("cannot write ~/Python", hint="cache_dir"), ["ssh", "agent"], "cache_dir"),
    ],
)
def test_where_no_agent_starts_the_error_is_the_verdict(
    error: ConnectError | BoardError, codes: list[str], fix: str
) -> None:
    checks = unreached_checks(error)
    assert [check.code for check in checks] == codes
    assert checks[-1].verdict == "fail"
    assert fix in checks[-1].fix


def test_what_a_board_says_is_no_command_in_a_cure() -> None:
    node = replace(RENDER, group="a;reboot", openable=False)
    assert (
        "usermod -aG 'a;reboot' '$(reboot)'" in find("permission", device_nodes=[node], user="$(reboot)").fix
    )
    file = replace(NPU_GOVERNOR, path="/sys/x; reboot", settable=False)
    assert "for f in '/sys/x; reboot'; do" in find("governors", governor_files=[file]).fix
