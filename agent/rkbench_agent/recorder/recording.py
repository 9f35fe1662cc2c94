"""Records a board as a tree: the files of /proc, /sys and /dev that this program reads, and no others.

What a file holds is cleaned before it leaves the board. `rknpu/freq` and `rknpu/volt` are not read: they
wake the NPU up and can crash the reader. Nor are the serial number, machine ids, network and disks. Of the
kernel's log the lines that speak of the NPU are kept.
"""

from __future__ import annotations

import grp
import json
import os
import pwd
import re
import stat
import sys
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from rkbench_agent.board.kernel_log import KernelLog
from rkbench_agent.recorder.anonymous import clean, telling_names
from rkbench_agent.wire.words import RECORD_MARK

_RKNPU = ("version", "load", "power", "delayms", "mm")
#: Patterns of what is read; a folder's own links are followed, and what lies behind has its real path.
FILES = (
    *("proc/version", "proc/meminfo", "proc/device-tree/model", "proc/device-tree/compatible", ".dockerenv"),
    *(f"{folder}/{name}" for folder in ("proc/rknpu", "sys/kernel/debug/rknpu") for name in _RKNPU),
    *("sys/module/rknpu/version", "sys/module/rknpu/parameters/*", "sys/module/rocket/initstate"),
    *("sys/kernel/debug/clk/*clk_ddr/clk_rate", "sys/kernel/debug/clk/clk_scmi_ddr/clk_rate"),
    "sys/kernel/debug/dma_buf/bufinfo",
    "sys/class/devfreq/*/*",
    *(
        f"sys/class/thermal/thermal_zone*/{name}"
        for name in ("type", "temp", "mode", "policy", "trip_point_*")
    ),
    *(
        f"sys/devices/system/cpu/cpufreq/policy*/{name}"
        for name in ("scaling_*", "*_cpus", "cpuinfo_m*_freq")
    ),
    *("sys/bus/platform/devices/*npu*/uevent", "sys/bus/platform/devices/*.npu/iommu_group/*"),
    *("sys/class/drm/*/uevent", "sys/class/drm/*/device/uevent"),
    *("sys/class/accel/*/uevent", "sys/class/accel/*/device/uevent"),
)
LINKS = (
    *("sys/class/devfreq/*", "sys/class/thermal/thermal_zone*", "sys/class/drm/*"),
    *("sys/class/drm/*/device", "sys/class/accel/*", "sys/class/accel/*/device", "dev/dri/by-path/*"),
    *("sys/bus/platform/devices/*npu*", "sys/bus/platform/devices/*.npu/iommu_group"),
    *("sys/bus/platform/devices/*.npu/subsystem", "sys/devices/system/cpu/cpu[0-9]*/cpufreq"),
)
NODES = ("dev/dri/card*", "dev/dri/renderD*", "dev/rknpu", "dev/accel/*")
LIMIT_BYTES = 64 * 1024
_CONNECTOR = re.compile(
    r"sys/class/drm/[^/]*-[^/]*(?:/|\Z)"
)  # a display, whose name tells what is plugged in
_OF_NPU = re.compile(r"rknpu|\bnpu\b|rocket|cma: Reserved", re.IGNORECASE)
_BUFFERS = re.compile(r"Dma-buf Objects|size\s+flags|Total \d+ objects")


def record(root: Path, names: Sequence[str]) -> Dict[str, Dict[str, str]]:
    """Return `files` (path: text), `links` (path: what it says) and `nodes` (path: mode and owners).

    `names` are what nothing in it may tell; one that the board's own model is called by tells nothing.
    """
    model = "".join(_text(root / "proc/device-tree" / name) or "" for name in ("model", "compatible")).lower()
    hidden = [name for name in names if name.lower() not in model]
    files: Dict[str, str] = {}
    for place, path in _matches(root, FILES):
        text = _text(path)
        if text is not None:
            files[place] = clean(text, hidden)
    log = _log_of_npu(root)
    if log:
        files["dev/kmsg"] = clean("".join(f"{line}\n" for line in log), hidden)
    links = {place: _target(place, path) for place, path in _matches(root, LINKS) if path.is_symlink()}
    device_tree = root / "proc/device-tree"
    if device_tree.is_symlink() and not device_tree.exists():  # as in a container
        links["proc/device-tree"] = _target("proc/device-tree", device_tree)
    return {"files": files, "links": links, "nodes": {p: _rights(path) for p, path in _matches(root, NODES)}}


def main() -> int:
    """Print the recording of this board, one line of JSON behind its mark."""
    root = Path(os.environ.get("RKBENCH_SYS_ROOT") or "/")
    sys.stdout.write(RECORD_MARK + json.dumps(record(root, telling_names())) + "\n")
    return 0


def _matches(root: Path, patterns: Sequence[str]) -> Iterator[Tuple[str, Path]]:
    """Yield where it really lies below the root, and its path: links on the way are links of the tree."""
    real_root = os.path.realpath(str(root))
    for pattern in patterns:
        for path in sorted(root.glob(pattern)):
            name = path.relative_to(root)
            if _CONNECTOR.match(name.as_posix()):
                continue
            if name.parent.as_posix() == "proc/device-tree":
                yield name.as_posix(), path  # behind the link lies the serial number too
                continue
            place = os.path.relpath(os.path.realpath(str(path.parent)), real_root)
            if not place.startswith(".."):
                yield f"{place}/{path.name}" if place != "." else path.name, path


def _text(path: Path) -> Optional[str]:
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            text = file.read(LIMIT_BYTES).decode("utf-8", "replace")
    except OSError:
        return None
    if path.name == "bufinfo":  # the rows name programs
        return "".join(line + "\n" for line in text.splitlines() if _BUFFERS.match(line))
    return text


def _target(place: str, path: Path) -> str:
    """Return what a link says, relative to its folder."""
    said = os.readlink(str(path))  # noqa: PTH115  # Path.readlink came with Python 3.9
    return os.path.relpath(said, f"/{place}/..") if said.startswith("/") else said


def _rights(path: Path) -> str:
    status = path.stat()
    owner, group = _name(pwd.getpwuid, status.st_uid), _name(grp.getgrgid, status.st_gid)
    kind = "c" if stat.S_ISCHR(status.st_mode) else "-"
    return f"{kind}{status.st_mode & 0o777:04o} {owner}:{group}"


def _name(find: Callable[[int], Any], number: int) -> str:
    """Return the name of a user or group of the system; those of people are theirs."""
    if number >= 1000:
        return "somebody"
    try:
        return str(find(number)[0])
    except KeyError:
        return str(number)


def _log_of_npu(root: Path) -> List[str]:
    log = KernelLog(root, from_boot=True)
    try:
        lines = log.lines()
    finally:
        log.close()
    return [line for line in lines if _OF_NPU.search(line) and "command line" not in line.lower()]
