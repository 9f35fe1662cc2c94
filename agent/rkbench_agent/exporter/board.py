"""Sensor groups of the board: temperatures, memory, dma-bufs, what it is, and who benchmarks on it."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric

from rkbench_agent.environment import read_environment
from rkbench_agent.exporter.files import Files
from rkbench_agent.lock import OWNER_LIMIT

#: What the board is changes with a boot or an upgrade: no need to look at every scrape.
ENVIRONMENT_AGE_S = 3600.0
_MEMINFO = re.compile(r"^(\w+):\s*(\d+) kB$", re.MULTILINE)
_BUFFERS = re.compile(r"^Total (\d+) objects, (\d+) bytes$", re.MULTILINE)
_MEMORY = (
    ("MemTotal", "rkbench_memory_total_bytes", "Memory of the board."),
    ("MemAvailable", "rkbench_memory_available_bytes", "Memory that a new program could take."),
    ("CmaTotal", "rkbench_cma_total_bytes", "Contiguous memory that the kernel keeps for devices."),
    ("CmaFree", "rkbench_cma_free_bytes", "Contiguous memory that is free."),
)
_INFO = (
    ("soc", "soc"),
    ("board_model", "model"),
    ("kernel", "kernel"),
    ("architecture", "architecture"),
    ("driver_version", "driver_version"),
    ("runtime_version", "runtime_version"),
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
    """What the board is: read at the first scrape, and again when an hour has passed."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._read_at = 0.0
        self._labels: Optional[Dict[str, str]] = None

    def __call__(self, files: Files) -> List[Metric]:
        now = self._clock()
        if self._labels is None or now - self._read_at >= ENVIRONMENT_AGE_S:
            environment = read_environment(files.root, None)
            values = ((label, getattr(environment, name)) for name, label in _INFO)
            self._labels = {label: str(value) for label, value in values if value is not None}
            self._labels["simulated"] = str(environment.simulated).lower()
            self._read_at = now
        if "soc" not in self._labels:
            files.fault(files.root / "proc/device-tree/compatible", "no Rockchip SoC")
        return [InfoMetricFamily("rkbench_board", "What the board is.", value=self._labels)]


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
