"""What this process and this board take of memory; unknown is None."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Dict, Optional, Tuple

from rkbench_agent.board.system_files import Absence, SystemFiles, read_text

MEMINFO = "proc/meminfo"
#: Entries that a kernel without contiguous memory for devices does not have.
OPTIONAL = ("CmaTotal", "CmaFree")
_BUFFERS = re.compile(r"^Total (\d+) objects, (\d+) bytes$", re.MULTILINE)

#: How a descriptor of a dma-buf reads, newest kernels first.
_DMA_BUF_LINKS = ("/dmabuf:", "anon_inode:dmabuf", "/dma_buf:")


def process_memory(process: Path = Path("/proc/self")) -> Dict[str, Optional[int]]:
    """Return the memory of a process: resident in all and by kind, its share, its peak.

    What is resident is counted page by page where the kernel does that (smaps_rollup, Linux 4.14): VmRSS and
    its kinds are kept by thread before Linux 6.2 and lag behind by up to 64 pages of each. The kinds are
    parts of that one reading and sum to it; of shared memory the quick count is all that there is. An NPU's
    buffers that are mapped into the process may count as file or shared memory.
    """
    status = _kilobytes(read_text(process / "status"))
    rollup = _kilobytes(read_text(process / "smaps_rollup"))
    resident = rollup.get("Rss") or status.get("VmRSS")
    peak = status.get("VmHWM")
    anonymous, of_files, shared = _kinds(resident, status, rollup)
    return {
        "rss_bytes": resident,
        "rss_anon_bytes": anonymous,
        "rss_file_bytes": of_files,
        "rss_shmem_bytes": shared,
        "pss_bytes": rollup.get("Pss"),
        "peak_rss_bytes": None if peak is None else max(peak, resident or 0),  # the peak lags as VmRSS does
    }


def _kinds(
    resident: Optional[int], status: Dict[str, int], rollup: Dict[str, int]
) -> Tuple[Optional[int], Optional[int], Optional[int]]:
    """Return resident memory that is anonymous, of files, and shared: of one reading where it has them."""
    anonymous, shared = rollup.get("Anonymous"), status.get("RssShmem")
    if resident is None or anonymous is None or shared is None:
        return status.get("RssAnon"), status.get("RssFile"), shared
    shared = min(shared, resident - anonymous)
    return anonymous, resident - anonymous - shared, shared


def resident_bytes(process: Path = Path("/proc/self")) -> Optional[int]:
    """Return the resident memory of a process, as `process_memory` counts it."""
    return process_memory(process)["rss_bytes"]


def resident_pages_bytes(process: Path = Path("/proc/self")) -> Optional[int]:
    """Return the resident memory of a process by its counter: at once, and up to 64 pages a thread behind."""
    fields = (read_text(process / "statm") or "").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") if len(fields) > 1 and fields[1].isdigit() else None


def memory_available_bytes(root: Path) -> Optional[int]:
    """Return MemAvailable of the board under `root`."""
    return meminfo(root).get("MemAvailable")


def meminfo(root: Path) -> Dict[str, int]:
    """Return /proc/meminfo of the board under `root`, in bytes."""
    return _kilobytes(read_text(root / MEMINFO))


def read_meminfo(files: SystemFiles, *names: str) -> Dict[str, int]:
    """Return entries of /proc/meminfo, in bytes; one that is missing is a fault, but of CMA."""
    path = files.root / MEMINFO
    text = files.text(path)
    values = _kilobytes(text)
    for name in names if text is not None else ():
        if name not in values:
            files.absences.append(Absence(path, f"no {name}", is_fault=name not in OPTIONAL))
    return {name: values[name] for name in names if name in values}


def system_dma_bufs(files: SystemFiles) -> Optional[Tuple[int, int]]:
    """Return count and bytes of all dma-bufs of the system, where debugfs may be read."""
    path = files.root / "sys/kernel/debug/dma_buf/bufinfo"
    text = files.text(path, is_root_only=True)
    if text is None:
        return None
    found = _BUFFERS.search(text)
    if found is None:
        files.fault(path, "no total")
        return None
    return int(found.group(1)), int(found.group(2))


def dma_buf_bytes(process: Path = Path("/proc/self")) -> Optional[int]:
    """Return the bytes of all dma-bufs that a process has open, each counted once by its inode.

    None where /proc does not show descriptors, for a kernel too old to tell a buffer's size, and where
    no descriptor is a dma-buf. The vendor's DRM driver hands one out for every buffer, but others (a
    /dev/rknpu on a DMA heap) need not, and a runtime may close them: none seen is no proof of none used.
    """
    sizes: Dict[str, int] = {}
    try:
        descriptors = sorted(path.name for path in (process / "fd").iterdir())
    except OSError:
        return None
    for descriptor in descriptors:
        info = _fields(read_text(process / "fdinfo" / descriptor))
        if "exp_name" not in info and not _is_dma_buf(process / "fd" / descriptor):
            continue
        if not info.get("size", "").isdigit():
            return None
        sizes[info.get("ino") or _inode(process / "fd" / descriptor)] = int(info["size"])
    return sum(sizes.values()) if sizes else None


def _inode(descriptor: Path) -> str:
    """Return the inode behind a descriptor: kernels before 5.14 do not tell it in fdinfo."""
    try:
        return str(os.stat(str(descriptor)).st_ino)  # noqa: PTH116  # of the target, as fdinfo has it
    except OSError:
        return f"fd {descriptor.name}"


def _is_dma_buf(descriptor: Path) -> bool:
    try:
        return os.readlink(descriptor).startswith(_DMA_BUF_LINKS)  # noqa: PTH115  # Path.readlink is new in 3.9
    except OSError:
        return False


def _fields(text: Optional[str]) -> Dict[str, str]:
    fields = {}
    for line in (text or "").splitlines():
        name, colon, value = line.partition(":")
        if colon:
            fields[name.strip()] = value.strip()
    return fields


def _kilobytes(text: Optional[str]) -> Dict[str, int]:
    values = {}
    for name, value in _fields(text).items():
        parts = value.split()
        if len(parts) == 2 and parts[1] == "kB" and parts[0].isdigit():
            values[name] = int(parts[0]) * 1024
    return values
