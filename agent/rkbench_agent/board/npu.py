"""The NPU as the board shows it: its driver, its devices, the nodes through which a runtime reaches it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Tuple

from rkbench_agent.board.system_files import find_devfreq, read_text

#: Whatever the SoC, its node in the device tree is called npu, and the device ADDRESS.npu.
DEVICES = "sys/bus/platform/devices"
RKNPU, ROCKET = "rknpu", "rocket"


def npu_driver(root: Path) -> Optional[str]:
    """Return `rknpu` (the vendor's), `rocket` (mainline's) or None where neither shows itself.

    Built into the kernel, rocket is no module, and its accel device hangs below a device without a driver:
    then the NPU's cores name it, and mainline's name of that device. A kernel may hold both drivers: the one
    that the NPU is bound to counts.
    """
    drivers = {_driver(device / "uevent") for device in find_npus(root)} | set(_with_npu(root))
    if ROCKET in drivers:
        return ROCKET
    for name in ("sys/module/rknpu", "sys/kernel/debug/rknpu", "proc/rknpu", "dev/rknpu"):
        if (root / name).exists():
            return RKNPU
    # Rocket has no devfreq.
    if (
        "RKNPU" in drivers
        or find_devfreq(root, "npu")
        or any(kind.startswith("drm") for kind, _ in find_nodes(root))
    ):
        return RKNPU
    is_rocket = _rocket_nodes(root) or (root / "sys/module/rocket").exists()
    return ROCKET if is_rocket else None


def find_npus(root: Path) -> List[Path]:
    """Return the NPU's devices on the platform bus: one of the vendor's driver, one a core of rocket's."""
    return sorted((root / DEVICES).glob("*.npu"))


def is_behind_iommu(root: Path) -> Optional[bool]:
    """Return whether sysfs shows the NPU in an IOMMU's group; None where it shows no whole device."""
    for npu in find_npus(root):
        if (npu / "iommu_group").exists():
            return True
        if (npu / "subsystem").exists():  # what every device has
            return False
    return None


def find_nodes(root: Path) -> List[Tuple[str, Path]]:
    """Return (kind, path) of the device nodes through which a runtime could reach the NPU."""
    dri = root / "dev/dri"
    found: Dict[str, Tuple[str, Path]] = {}
    for kind, suffix in (("drm_render", "render"), ("drm_card", "card")):
        for link in sorted((dri / "by-path").glob(f"platform-*.npu-{suffix}")):
            node = dri / os.path.basename(os.path.realpath(str(link)))  # noqa: PTH119  # a name, not a path
            found.setdefault(node.name, (kind, node))
    for entry in sorted((root / "sys/class/drm").glob("*")):
        if _driver(entry / "device/uevent") == "RKNPU":
            kind = "drm_render" if entry.name.startswith("render") else "drm_card"
            found.setdefault(entry.name, (kind, dri / entry.name))
    accel = _rocket_nodes(root) or ["accel0"]
    others = [("rknpu", root / "dev/rknpu"), *(("accel", root / "dev/accel" / name) for name in accel)]
    nodes = [item for item in found.values() if item[1].exists()]
    return nodes + [(kind, path) for kind, path in others if path.exists()]


def _driver(uevent: Path) -> Optional[str]:
    lines = (read_text(uevent) or "").splitlines()
    return next((line[len("DRIVER=") :] for line in lines if line.startswith("DRIVER=")), None)


def _with_npu(root: Path) -> Iterator[str]:
    """Yield the platform drivers that an NPU is bound to."""
    for device in sorted((root / "sys/bus/platform/drivers").glob("*/*.npu")):
        yield device.parent.name


def _rocket_nodes(root: Path) -> List[str]:
    """Return the names of the accel devices that are rocket's; others are of other accelerators."""
    found = []
    for entry in sorted((root / "sys/class/accel").glob("accel*")):
        told = (read_text(entry / "device/uevent") or "").splitlines()
        if "DRIVER=rocket" in told or "MODALIAS=platform:rknn" in told:
            found.append(entry.name)
    return found
