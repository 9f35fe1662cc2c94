"""What the doctor asks of a board beside its environment. Nothing is changed; unknown is None."""

from __future__ import annotations

import grp
import importlib.util
import os
import pwd
import re
import sys
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

from rkbench_agent.board.clocks import Devfreq, ddr_clock_hz
from rkbench_agent.board.elf import identify_library
from rkbench_agent.board.kernel_log import KernelLog
from rkbench_agent.board.libraries import find_libraries, read_library_version
from rkbench_agent.board.memory import meminfo
from rkbench_agent.board.npu import find_nodes, is_behind_iommu, npu_driver
from rkbench_agent.board.sensors import npu_core_loads, temperatures
from rkbench_agent.board.system_files import SystemFiles, find_devfreq, read_text
from rkbench_agent.wire.board import DeviceNode, GovernorFile, Library
from rkbench_agent.wire.words import CPU, DDR, NPU

#: What RKNNLite imports; it may lie on the path without a version that pip would know.
MODULES = ("rknnlite", "numpy", "psutil", "ruamel")
#: RKNNLite looks for these as soon as there is a /.dockerenv.
CONTAINER_NEEDS = ("dev/dri/renderD129", "proc/device-tree/compatible", "usr/lib/librknnrt.so")

#: `[drm] Initialized rknpu 0.9.8 20240828 for ...`; without DRM `Initialized RKNPU driver: v0.9.8`.
_CAME_UP = re.compile(r"Initialized rknpu (?:driver: v?)?(\d+(?:\.\d+)+)", re.IGNORECASE)


def inspect_board(root: Path, cache_folder: Optional[Path]) -> Dict[str, Any]:
    """Return the fields of `wire.board.Environment` that only the doctor uses, for the board under `root`."""
    nodes = find_nodes(root)
    kernel = _kernel_lines(root, from_boot=bool(nodes))
    memory = meminfo(root)
    sensors, sensors_absent = _sensors(root)
    return {
        "modules": {name: _is_there(name) for name in MODULES},
        "libraries": [describe_library(root, path) for path in find_libraries(root)],
        "elf_machine": _elf_machine(root),
        "device_nodes": [_describe_node(root, kind, path) for kind, path in nodes],
        "npu_driver": npu_driver(root),
        "iommu": _iommu(root, kernel),
        "cma_total_bytes": memory.get("CmaTotal"),
        "cma_free_bytes": memory.get("CmaFree"),
        "governor_files": list(_governor_files(root)),
        "sensors": sensors,
        "sensors_absent": sensors_absent or None,
        "kernel_log_readable": kernel is not None,
        "cache_dir": str(cache_folder) if cache_folder else None,
        "cache_free_bytes": _free_bytes(cache_folder) if cache_folder else None,
        "groups": _groups(),
        "container_lacks": _container_lacks(root),
    }


def describe_library(root: Path, path: Path) -> Library:
    """Return what one librknnrt.so is; its version is None where its text does not state one."""
    kind, machine = identify_library(path)
    return Library(
        _told(root, path),
        kind,
        machine,
        version=read_library_version(path) if kind == "elf" else None,
        size_bytes=path.stat().st_size if kind != "unreadable" else None,
    )


def may_open(path: Path, flags: int) -> bool:
    """Tell whether the present user can open a file; the only answer that knows of ACLs and containers."""
    try:
        os.close(os.open(str(path), flags | os.O_CLOEXEC | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def _describe_node(root: Path, kind: str, path: Path) -> DeviceNode:
    status = path.stat()
    return DeviceNode(
        _told(root, path),
        kind,
        mode=f"{status.st_mode & 0o777:04o}",
        owner=_user_name(status.st_uid),
        group=_group_name(status.st_gid),
        openable=may_open(path, os.O_RDWR),
    )


@lru_cache(maxsize=8)  # what the driver said when it came up stays true, and the log is long
def _kernel_lines(root: Path, from_boot: bool) -> Optional[List[str]]:
    log = KernelLog(root, from_boot)
    try:
        return log.lines() if log.is_readable else None
    finally:
        log.close()


def has_iommu(root: Path) -> Optional[bool]:
    """Return whether the NPU's memory goes through an IOMMU, else it comes from CMA; None where unknown."""
    return _iommu(root, _kernel_lines(root, from_boot=True))


def _iommu(root: Path, kernel: Optional[List[str]]) -> Optional[bool]:
    """Return whether the NPU's memory goes through an IOMMU: the driver's own word, else sysfs."""
    for line in reversed(kernel or []):
        if "RKNPU" in line and "iommu mode" in line:
            return "non-iommu mode" not in line
    return is_behind_iommu(root)


def logged_driver_version(root: Path) -> Optional[str]:
    """Return the version with which the driver came up, as far as the kernel's log goes back."""
    for line in reversed(_kernel_lines(root, from_boot=bool(find_nodes(root))) or []):
        found = _CAME_UP.search(line)
        if found:
            return found.group(1)
    return None


def _governor_files(root: Path) -> Iterator[GovernorFile]:
    files = [(part, find_devfreq(root, name)) for part, name in ((NPU, "npu"), (DDR, "dmc"))]
    found = [(part, folder / "governor") for part, folder in files if folder is not None]
    policies = sorted((root / "sys/devices/system/cpu/cpufreq").glob("policy*"))
    for part, path in found + [(CPU, policy / "scaling_governor") for policy in policies]:
        governor = read_text(path)
        if governor is not None:
            yield GovernorFile(part, _told(root, path), governor, may_open(path, os.O_WRONLY))


def _sensors(root: Path) -> Tuple[Dict[str, bool], Dict[str, str]]:
    """Return which sensors can be read, and of the others why they cannot."""
    npu, ddr = Devfreq(root, "npu"), Devfreq(root, "dmc")
    found: Dict[str, bool] = {}
    absent: Dict[str, str] = {}
    for name, read in (
        ("npu_load", npu_core_loads),
        ("npu_clock", npu.clock_hz),
        ("ddr_clock", partial(ddr_clock_hz, devfreq=ddr)),
        ("temperature", temperatures),
    ):
        files = SystemFiles(root)
        found[name] = read(files) is not None
        if not found[name]:
            absent[name] = files.why()
    return found, absent


def _free_bytes(folder: Path) -> Optional[int]:
    """Return the room on the file system where the folder is, or would be."""
    for place in (folder, *folder.parents):
        try:
            room = os.statvfs(str(place))
        except OSError:
            continue
        return room.f_bavail * room.f_frsize
    return None


def _container_lacks(root: Path) -> Optional[List[str]]:
    if not (root / ".dockerenv").exists():
        return None
    return ["/" + name for name in CONTAINER_NEEDS if not (root / name).exists()]


def _elf_machine(root: Path) -> Optional[str]:
    """Return for which machine a library must be: that of this Python, or of the recorded board."""
    if root != Path("/"):
        return "aarch64" if "aarch64" in (read_text(root / "proc/version") or "") else None
    return identify_library(Path(sys.executable))[1] if sys.executable else None


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _groups() -> List[str]:
    return sorted(_group_name(number) for number in {*os.getgroups(), os.getegid()})


def _user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group_name(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _told(root: Path, path: Path) -> str:
    """Return the path as it is on the board, without the injected root."""
    try:
        return "/" + path.relative_to(root).as_posix()
    except ValueError:
        return str(path)
