"""Sensor groups of the board: temperatures, memory, dma-bufs, what it is, and who benchmarks on it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric

from rkbench_agent.board.emulation import is_emulated
from rkbench_agent.board.environment import (
    board_model,
    driver_version,
    kernel_release,
    read_compatible,
)
from rkbench_agent.board.libraries import find_library, read_library_version
from rkbench_agent.board.lock import OWNER_LIMIT
from rkbench_agent.board.memory import read_meminfo, system_dma_bufs
from rkbench_agent.board.sensors import temperatures
from rkbench_agent.board.system_files import SystemFiles
from rkbench_agent.wire.socs import find_chip

LIBRARY_AGE_S = 3600.0
_MEMORY = (
    ("MemTotal", "rkbench_memory_total_bytes", "Memory of the board."),
    ("MemAvailable", "rkbench_memory_available_bytes", "Memory that a new program could take."),
    ("CmaTotal", "rkbench_cma_total_bytes", "Contiguous memory that the kernel keeps for devices."),
    ("CmaFree", "rkbench_cma_free_bytes", "Contiguous memory that is free."),
)


def temperature_metrics(files: SystemFiles) -> List[Metric]:
    """Return the temperature of every thermal zone that is awake."""
    zones = temperatures(files)
    if zones is None:
        files.fault(files.root / "sys/class/thermal", "no temperature")
        return []
    text = "Temperature of a thermal zone."
    metric = GaugeMetricFamily("rkbench_temperature_celsius", text, labels=["zone"])
    for zone, celsius in zones.items():
        metric.add_metric([zone], celsius)
    return [metric]


def memory_metrics(files: SystemFiles) -> List[Metric]:
    """Return the memory of the board; contiguous memory where the kernel keeps some."""
    values = read_meminfo(files, *(name for name, _, _ in _MEMORY))
    return [
        GaugeMetricFamily(metric, text, value=values[name])
        for name, metric, text in _MEMORY
        if name in values
    ]


def dma_buf_metrics(files: SystemFiles) -> List[Metric]:
    """Return count and size of all dma-bufs of the system, where debugfs may be read."""
    found = system_dma_bufs(files)
    if found is None:
        return []
    count, size_bytes = found
    return [
        GaugeMetricFamily("rkbench_dma_bufs", "Number of dma-bufs in the system.", value=count),
        GaugeMetricFamily("rkbench_dma_buf_bytes", "Size of all dma-bufs in the system.", value=size_bytes),
    ]


class BoardInfo:
    """What the board is. The runtime's library, some megabytes, is looked at once an hour."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._read_at: Optional[float] = None
        self._runtime_version: Optional[str] = None

    def __call__(self, files: SystemFiles) -> List[Metric]:
        root = files.root
        chip = find_chip(read_compatible(root))
        if chip is None:
            files.fault(root / "proc/device-tree/compatible", "no Rockchip SoC")
        values = {
            "soc": chip.soc if chip else None,
            "model": board_model(files),
            "kernel": kernel_release(files),
            "driver_version": driver_version(files),
            "runtime_version": self._find_runtime_version(root),
            "simulated": "false" if root == Path("/") and not is_emulated() else "true",
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


class Benchmark:
    """Who benchmarks on the board, by the agents' lock files; the locks themselves are not touched.

    `lock_files`: of this user's cache, and the one that all users of the board share.
    """

    def __init__(self, lock_files: Sequence[Path], locks: Path = Path("/proc/locks")) -> None:
        self._lock_files = tuple(lock_files)
        self._locks = locks

    def __call__(self, files: SystemFiles) -> List[Metric]:
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

    def _holder(self, files: SystemFiles) -> Optional[Dict[str, Any]]:
        """Return what the holder wrote; None while nobody holds a lock, {} while it says nothing."""
        for lock_file in self._lock_files:
            if self._is_held(lock_file, files):
                return _content(lock_file, files)
        return None

    def _is_held(self, lock_file: Path, files: SystemFiles) -> bool:
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


def _content(lock_file: Path, files: SystemFiles) -> Dict[str, Any]:
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
