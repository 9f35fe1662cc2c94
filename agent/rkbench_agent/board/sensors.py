"""The board's sensors. What cannot be read is None, and the reading says why.

A sensor is a function of `SystemFiles`. A run samples them into a `Reading`; the exporter makes metrics of
them and tells which of its groups cannot be read.
"""

from __future__ import annotations

import re
import time
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from rkbench_agent.board.clocks import Devfreq, cpu_clocks, cpu_governors, ddr_clock_hz
from rkbench_agent.board.memory import read_meminfo
from rkbench_agent.board.system_files import Absence, SystemFiles, find_devfreq, read_text
from rkbench_agent.wire.board import Reading

_CORE_LOAD = re.compile(r"Core\d+:\s*(\d*)\s*%")
_NPU_LOAD = re.compile(r"NPU load:\s*(\d+)\s*%")
#: Where the vendor's driver tells the load, and whether only root may look there.
LOAD_FILES = (("proc/rknpu/load", False), ("sys/kernel/debug/rknpu/load", True))


class Sensors:
    """The sensors of the board under `root`; the CPU's load is of the time since the last sample."""

    def __init__(self, root: Path) -> None:
        self._root = root
        npu, gpu, ddr = (Devfreq(root, name) for name in ("npu", "gpu", "dmc"))
        self._cpu_times = cpu_times(SystemFiles(root))
        #: A field of `Reading` each.
        self._sensors: Dict[str, Callable[[SystemFiles], Any]] = {
            "npu_load_ratio": npu_core_loads,
            "npu_clock_hz": npu.clock_hz,
            "npu_governor": npu.governor,
            "ddr_clock_hz": partial(ddr_clock_hz, devfreq=ddr),
            "ddr_governor": ddr.governor,
            "ddr_load_ratio": ddr.load_ratio,
            "cpu_clock_hz": cpu_clocks,
            "cpu_governors": cpu_governors,
            "gpu_clock_hz": gpu.clock_hz,
            "temperature_celsius": temperatures,
            "cpu_load_ratio": self._cpu_load,
            "memory_available_bytes": partial(_memory, name="MemAvailable"),
            "cma_free_bytes": partial(_memory, name="CmaFree"),
        }

    def sample(self, time_ns: Optional[int] = None) -> Reading:
        """Return one sample; `time_ns` is its time where a virtual clock runs, None now."""
        values: Dict[str, Any] = {}
        absent: Dict[str, str] = {}
        for name, read in self._sensors.items():
            files = SystemFiles(self._root)
            values[name] = read(files)
            if values[name] is None:
                absent[name] = files.why()
        return Reading(time.monotonic_ns() if time_ns is None else time_ns, **values, absent=absent or None)

    def _cpu_load(self, files: SystemFiles) -> Optional[float]:
        before, self._cpu_times = self._cpu_times, cpu_times(files)
        return busy_ratio(before, self._cpu_times)


def npu_core_loads(files: SystemFiles) -> Optional[List[float]]:
    """Return the load of every NPU core, 0 to 1: of /proc/rknpu (world readable) or debugfs (root only).

    Never of devfreq's `load`: the vendor's driver writes `100@...Hz` there whatever runs, and builds for
    mainline kernels write how often the NPU was powered on.
    """
    for name, is_root_only in LOAD_FILES:
        path = files.root / name
        text = files.text(path, is_root_only=is_root_only)
        if text is None:
            continue
        loads = parse_npu_load(text)
        if loads is not None:
            return loads
        files.fault(path, f"no load: {text[:40]!r}")
    _explain_devfreq(files)
    return None


def _explain_devfreq(files: SystemFiles) -> None:
    """Say what the file that looks like the NPU's load is, where there is one."""
    folder = find_devfreq(files.root, "npu")
    text = read_text(folder / "load") if folder is not None else None
    if folder is not None and text:
        reason = f"no load: {text[:40]!r} counts nothing; root reads the load in debugfs (rknpu/load)"
        files.absences.append(Absence(folder / "load", reason, is_fault=False))


def _memory(files: SystemFiles, name: str) -> Optional[int]:
    return read_meminfo(files, name).get(name)


def parse_npu_load(text: str) -> Optional[List[float]]:
    """Return the loads of `NPU load:  Core0:  0%, Core1: 12%,` or `NPU load:  7%`.

    Some drivers print a blank for zero. A wedged driver shows thousands of percent: that is no load,
    so the whole line counts as unreadable, as it does where one core of several tells no number.
    """
    cores = _CORE_LOAD.findall(text) or _NPU_LOAD.findall(text)
    if len(cores) < text.count("Core"):
        return None
    loads = [int(core or "0") / 100 for core in cores]
    return loads if loads and max(loads) <= 1.0 else None


def temperatures(files: SystemFiles) -> Optional[Dict[str, float]]:
    """Return the temperature of every thermal zone that is awake, in degrees Celsius, by its type.

    The second zone of one type is `TYPE_2`.
    """
    found = {name: files.number(zone / "temp") for name, zone in _zones(files)}
    return {name: value / 1000 for name, value in found.items() if value is not None} or None


def _zones(files: SystemFiles) -> Iterator[Tuple[str, Path]]:
    """Yield every thermal zone with its type; the second of one type is `TYPE_2`."""
    seen: Dict[str, int] = {}
    for zone in sorted((files.root / "sys/class/thermal").glob("thermal_zone*")):
        name = files.text(zone / "type")
        if name:
            seen[name] = seen.get(name, 0) + 1
            yield name if seen[name] == 1 else f"{name}_{seen[name]}", zone


def passive_trips(files: SystemFiles) -> Optional[Dict[str, float]]:
    """Return where the kernel begins to throttle each zone (°C): its lowest passive trip point."""
    found: Dict[str, float] = {}
    for name, zone in _zones(files):
        trips = (files.number(path.with_name(path.name[:-4] + "temp")) for path in _passive(files, zone))
        known = [trip / 1000 for trip in trips if trip is not None and trip > 0]
        if known:
            found[name] = min(known)
    return found or None


def _passive(files: SystemFiles, zone: Path) -> List[Path]:
    return [path for path in sorted(zone.glob("trip_point_*_type")) if files.text(path) == "passive"]


def busy_ratio(before: Optional[Tuple[int, int]], now: Optional[Tuple[int, int]]) -> Optional[float]:
    """Return the load between two `cpu_times`, 0 to 1; None where nothing is known or no tick went by."""
    if before is None or now is None or now[1] <= before[1]:
        return None
    return max(0.0, min(1.0, (now[0] - before[0]) / (now[1] - before[1])))


def cpu_times(files: SystemFiles) -> Optional[Tuple[int, int]]:
    """Return (busy, all) ticks of all CPUs together since boot."""
    path = files.root / "proc/stat"
    text = files.text(path)
    if text is None:
        return None
    line = text.split("\n", 1)[0].split()
    if len(line) < 6 or line[0] != "cpu" or not all(field.isdigit() for field in line[1:]):
        files.fault(path, f"no times of the CPUs: {text[:40]!r}")
        return None
    ticks = [int(field) for field in line[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)
