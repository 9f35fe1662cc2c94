"""Sensor groups of the board: temperatures, memory, dma-bufs, what it is, and who benchmarks on it."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric

from rkbench_agent.board.environment import find_soc_name, read_compatible
from rkbench_agent.board.libraries import find_library, read_library_version
from rkbench_agent.exporter.files import Files
from rkbench_agent.line.lock import OWNER_LIMIT

LIBRARY_AGE_S = 3600.0
_MEMINFO = re.compile(r"^(\w+):\s*(\d+) kB$", re.MULTILINE)
_BUFFERS = re.compile(r"^Total (\d+) objects, (\d+) bytes$", re.MULTILINE)
_MEMORY = (
    ("MemTotal", "rkbench_memory_total_bytes", "Memory of the board."),
    ("MemAvailable", "rkbench_memory_available_bytes", "Memory that a new program could take."),
    ("CmaTotal", "rkbench_cma_total_bytes", "Contiguous memory that the kernel keeps for devices."),
    ("CmaFree", "rkbench_cma_free_bytes", "Contiguous memory that is free."),
)
_KERNEL = re.compile(r"Linux version (\S+)")
_VERSION = re.compile(r"v?(\d+(?:\.\d+)+)")
#: Where the driver tells its version, and whether only root may look there.
_DRIVER = (
    ("sys/module/rknpu/version", False),
    ("proc/rknpu/version", False),
    ("sys/kernel/debug/rknpu/version", True),
)


def temperatures(files: Files) -> List[Metric]:
    """Return the temperature of every thermal zone that is awake."""
    metric = GaugeMetricFamily(
        "rkbench_temperature_celsius", "Temperature of a thermal zone.", labels=["zone"]
    )
    seen: Dict[str, int] = {}
    for folder in sorted((files.root / "sys/class/thermal").glob("thermal_zone*")):
        name, value = files.text(folder / "type"), files.number(folder / "temp")
        if not name or value is None:
            continue
        seen[name] = seen.get(name, 0) + 1
        metric.add_metric([name if seen[name] == 1 else f"{name}_{seen[name]}"], value / 1000)
    if not metric.samples:
        files.fault(files.root / "sys/class/thermal", "no temperature")
        return []
    return [metric]


def memory(files: Files) -> List[Metric]:
    """Return the memory of the board; contiguous memory where the kernel keeps some."""
    path = files.root / "proc/meminfo"
    values = dict(_MEMINFO.findall(files.text(path) or ""))
    for name in ("MemTotal", "MemAvailable"):
        if name not in values:
            files.fault(path, f"no {name}")
    return [
        GaugeMetricFamily(metric, text, value=int(values[name]) * 1024)
        for name, metric, text in _MEMORY
        if name in values
    ]


def dma_bufs(files: Files) -> List[Metric]:
    """Return count and size of all dma-bufs of the system, where debugfs may be read."""
    path = files.root / "sys/kernel/debug/dma_buf/bufinfo"
    text = files.text(path, is_root_only=True)
    if text is None:
        return []
    found = _BUFFERS.search(text)
    if found is None:
        files.fault(path, "no total")
        return []
    return [
        GaugeMetricFamily("rkbench_dma_bufs", "Number of dma-bufs in the system.", value=int(found.group(1))),
        GaugeMetricFamily(
            "rkbench_dma_buf_bytes", "Size of all dma-bufs in the system.", value=int(found.group(2))
        ),
    ]


class BoardInfo:
    """What the board is. The runtime's library, some megabytes, is looked at once an hour."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._read_at: Optional[float] = None
        self._runtime_version: Optional[str] = None

    def __call__(self, files: Files) -> List[Metric]:
        root = files.root
        soc = find_soc_name(read_compatible(root))
        if soc is None:
            files.fault(root / "proc/device-tree/compatible", "no Rockchip SoC")
        kernel = _KERNEL.match(files.text(root / "proc/version") or "")
        values = {
            "soc": soc,
            "model": files.text(root / "proc/device-tree/model"),
            "kernel": kernel.group(1) if kernel else None,
            "driver_version": _driver_version(files),
            "runtime_version": self._find_runtime_version(root),
            "simulated": "false" if root == Path("/") else "true",
        }
        labels = {name: value for name, value in values.items() if value}
        return [InfoMetricFamily("rkbench_board", "What the board is.", value=labels)]

    def _find_runtime_version(self, root: Path) -> Optional[str]:
        now = self._clock()
        if self._read_at is None or now - self._read_at >= LIBRARY_AGE_S:
            library = find_library(root)
            self._runtime_version = read_library_version(library) if library else None
            self._read_at = now
        return self._runtime_version


def _driver_version(files: Files) -> Optional[str]:
    for name, is_root_only in _DRIVER:
        found = _VERSION.search(files.text(files.root / name, is_root_only=is_root_only) or "")
        if found:
            return found.group(1)
    return None


class Benchmark:
    """Who benchmarks on the board, by the agents' lock files; the locks themselves are not touched.

    `lock_files`: of this user's cache, and the one that all users of the board share.
    """

    def __init__(self, lock_files: Sequence[Path], locks: Path = Path("/proc/locks")) -> None:
        self._lock_files = tuple(lock_files)
        self._locks = locks

    def __call__(self, files: Files) -> List[Metric]:
        holder = self._holder(files)
        running = GaugeMetricFamily(
            "rkbench_benchmark_running", "1 while a benchmark holds the board.", value=int(holder is not None)
        )
        if not holder:
            return [running]
        labels = {
            "owner": str(holder.get("owner", "unknown"))[:OWNER_LIMIT],
            "what": str(holder.get("reason") or "")[:OWNER_LIMIT],
        }
        metrics: List[Metric] = [
            running,
            InfoMetricFamily("rkbench_benchmark", "Who holds the board, and for what.", value=labels),
        ]
        since = holder.get("since_unix_ns")
        if isinstance(since, int):
            text = "When the benchmark took the board, by the board's own clock."
            metrics.append(GaugeMetricFamily("rkbench_benchmark_start_time_seconds", text, value=since / 1e9))
        return metrics

    def _holder(self, files: Files) -> Optional[Dict[str, Any]]:
        """Return what the holder wrote; None while nobody holds a lock, {} while it says nothing."""
        for lock_file in self._lock_files:
            if self._is_held(lock_file, files):
                return _content(lock_file, files)
        return None

    def _is_held(self, lock_file: Path, files: Files) -> bool:
        """Tell of the kernel's table whether the file is locked: a try to lock it could disturb a push."""
        try:
            inode = str(lock_file.stat().st_ino)
        except OSError:
            return False
        for line in (files.text(self._locks) or "").splitlines():
            fields = line.split()
            if len(fields) > 5 and fields[1] == "FLOCK" and fields[5].rsplit(":", 1)[-1] == inode:
                return True
        return False


def _content(lock_file: Path, files: Files) -> Dict[str, Any]:
    text = files.text(lock_file)
    if not text:
        return {}
    try:
        holder = json.loads(text)
    except ValueError:
        holder = None
    if isinstance(holder, dict):
        return holder
    files.fault(lock_file, "not the JSON of a lock")
    return {}
