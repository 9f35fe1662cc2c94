"""What the board is: read once, before a plan. Whatever cannot be read is None."""

from __future__ import annotations

import getpass
import os
import platform
import re
import sys
import time
from pathlib import Path
from typing import List, Optional, Sequence

from rkbench_agent.board.clocks import Devfreq, cpu_governors, ddr_clock_hz
from rkbench_agent.board.emulation import is_emulated
from rkbench_agent.board.inspection import inspect_board, logged_driver_version
from rkbench_agent.board.libraries import find_library, read_library_version
from rkbench_agent.board.memory import meminfo
from rkbench_agent.board.sensors import passive_trips
from rkbench_agent.board.system_files import SystemFiles, read_text
from rkbench_agent.wire.board import Environment
from rkbench_agent.wire.socs import find_chip
from rkbench_agent.wire.words import VIRTUAL

_KERNEL = re.compile(r"Linux version (\S+)")
_VERSION = re.compile(r"v?(\d+(?:\.\d+)+)")
#: Where the driver tells its version, and whether only root may look there.
_DRIVER_FILES = (
    ("sys/module/rknpu/version", False),
    ("proc/rknpu/version", False),
    ("sys/kernel/debug/rknpu/version", True),
)


def read_environment(root: Path, runtime: Optional[str], cache: Optional[Path] = None) -> Environment:
    """Return the state of the board under `root`; `runtime` is what a plan names, if there is one.

    `cache` is the folder whose room the doctor asks for; without it the board is not inspected for him.
    Everything on a board with an injected root, with the virtual runtime or on an emulated processor is
    simulated.
    """
    compatible = read_compatible(root)
    chip = find_chip(compatible)
    library = find_library(root)
    files, npu, ddr = SystemFiles(root), Devfreq(root, "npu"), Devfreq(root, "dmc")
    memory = meminfo(root)
    real = root == Path("/")
    return Environment(
        soc=chip.soc if chip else None,
        chip=chip.name if chip else None,
        board_model=board_model(files),
        compatible=compatible or None,
        kernel=kernel_release(files),
        architecture=platform.machine() if real else _architecture(root),
        driver_version=driver_version(files) or (logged_driver_version(root) if cache is not None else None),
        runtime=runtime,
        runtime_version=read_library_version(library) if library else None,
        runtime_path=str(library) if library else None,
        lite_version=find_package_version("rknn-toolkit-lite2", sys.path),
        numpy_version=find_package_version("numpy", sys.path),
        psutil_version=find_package_version("psutil", sys.path),
        python_version=platform.python_version(),
        npu_cores=chip.npu_cores if chip else None,
        npu_devfreq=npu.name,
        npu_governor=npu.governor(files),
        npu_clock_hz=npu.clock_hz(files),
        npu_max_clock_hz=npu.max_clock_hz(files),
        npu_clocks_hz=npu.clocks_hz(),
        ddr_devfreq=ddr.name,
        ddr_governor=ddr.governor(files),
        ddr_clock_hz=ddr_clock_hz(files, ddr),
        cpu_governors=cpu_governors(files),
        passive_trips_celsius=passive_trips(files),
        cpu_count=os.cpu_count() if real else _cpu_count(root),
        memory_total_bytes=memory.get("MemTotal"),
        memory_available_bytes=memory.get("MemAvailable"),
        user=_user(),
        is_root=os.geteuid() == 0,
        unix_ns=time.time_ns(),
        boot_id=read_text(root / "proc/sys/kernel/random/boot_id"),
        simulated=not real or runtime == VIRTUAL or is_emulated(),
        **(inspect_board(root, cache) if cache is not None else {}),
    )


def read_compatible(root: Path) -> List[str]:
    """Return the entries of the device tree's `compatible`."""
    text = read_text(root / "proc/device-tree/compatible")
    return [entry for entry in (text or "").split("\0") if entry]


def board_model(files: SystemFiles) -> Optional[str]:
    """Return what the device tree calls the board."""
    return files.text(files.root / "proc/device-tree/model")


def kernel_release(files: SystemFiles) -> Optional[str]:
    """Return the kernel's release, as 6.1.115-vendor-rk35xx."""
    found = _KERNEL.match(files.text(files.root / "proc/version") or "")
    return found.group(1) if found else None


def driver_version(files: SystemFiles) -> Optional[str]:
    """Return the version of the rknpu driver, as 0.9.8."""
    for name, is_root_only in _DRIVER_FILES:
        found = _VERSION.search(files.text(files.root / name, is_root_only=is_root_only) or "")
        if found:
            return found.group(1)
    return None


def _architecture(root: Path) -> Optional[str]:
    return "aarch64" if "aarch64" in (read_text(root / "proc/version") or "") else None


def find_package_version(name: str, path: Sequence[str]) -> Optional[str]:
    """Return the version of an installed package, by the name of its folder (or file) of metadata on `path`.

    importlib.metadata says the same, and takes a third of the agent's start to import.
    """
    marked = re.compile(
        re.sub(r"[-_.]+", "[-_.]", name) + r"-([^-]+)(?:-.*)?\.(?:dist|egg)-info\Z", re.IGNORECASE
    )
    for folder in path:
        try:
            entries = [entry.name for entry in Path(folder).iterdir()]
        except OSError:  # a zip, or a folder that is not there
            continue
        for entry in entries:
            found = marked.match(entry)
            if found is not None:
                return found.group(1)
    return None


def _cpu_count(root: Path) -> Optional[int]:
    folders = list((root / "sys/devices/system/cpu").glob("cpu[0-9]*"))
    return len(folders) or None


def _user() -> Optional[str]:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a uid without an entry in passwd
        return None
