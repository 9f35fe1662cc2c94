"""Samples the board's sensors. Every path is under an injected root; what cannot be read is left out.

`rknpu/freq` powers the NPU on, and `rknpu/volt` can crash the reader: neither is ever read.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Dict, List, Optional, Tuple

from rkbench_agent.board.memory import meminfo
from rkbench_agent.board.system_files import find_devfreq, read_ddr_clock, read_governors, read_int, read_text
from rkbench_agent.wire.board import Reading

_CORE_LOAD = re.compile(r"Core\d+:\s*(\d*)\s*%")
_NPU_LOAD = re.compile(r"NPU load:\s*(\d+)\s*%")
_DEVFREQ_LOAD = re.compile(r"(\d+)@(\d+)Hz\Z")


class Sensors:
    """The sensors of the board under `root`; the CPU's load is of the time since the last sample."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._npu = find_devfreq(root, "npu")
        self._gpu = find_devfreq(root, "gpu")
        self._ddr = find_devfreq(root, "dmc")
        self._cpu_times = cpu_times(root)

    def sample(self, time_ns: Optional[int] = None) -> Reading:
        """Return one sample; `time_ns` is its time where a virtual clock runs, None now."""
        memory = meminfo(self._root)
        return Reading(
            time_ns=time.monotonic_ns() if time_ns is None else time_ns,
            npu_load_ratio=npu_load(self._root) or _loads(self._npu),
            npu_clock_hz=_clock(self._npu),
            npu_governor=_governor(self._npu),
            ddr_clock_hz=read_ddr_clock(self._root),
            ddr_governor=_governor(self._ddr),
            ddr_load_ratio=_load(self._ddr),
            cpu_clock_hz=cpu_clocks(self._root),
            cpu_governors=read_governors(self._root),
            gpu_clock_hz=_clock(self._gpu),
            temperature_celsius=temperatures(self._root) or None,
            cpu_load_ratio=self._cpu_load(),
            memory_available_bytes=memory.get("MemAvailable"),
            cma_free_bytes=memory.get("CmaFree"),
        )

    def _cpu_load(self) -> Optional[float]:
        before, self._cpu_times = self._cpu_times, cpu_times(self._root)
        return busy_ratio(before, self._cpu_times)


def npu_load(root: Path) -> Optional[List[float]]:
    """Return the load of every NPU core, 0 to 1: of /proc/rknpu (world readable) or debugfs (root only)."""
    for name in ("proc/rknpu/load", "sys/kernel/debug/rknpu/load"):
        loads = parse_npu_load(read_text(root / name) or "")
        if loads:
            return loads
    return None


def parse_npu_load(text: str) -> Optional[List[float]]:
    """Return the loads of `NPU load:  Core0:  0%, Core1: 12%,` or `NPU load:  7%`.

    Some drivers print a blank for zero. A wedged driver shows thousands of percent: that is no load,
    so the whole line counts as unreadable.
    """
    cores = _CORE_LOAD.findall(text) or _NPU_LOAD.findall(text)
    loads = [int(core or "0") / 100 for core in cores]
    return loads if loads and max(loads) <= 1.0 else None


def temperatures(root: Path) -> Dict[str, float]:
    """Return the temperature of every thermal zone, in degrees Celsius.

    A zone whose driver refuses the read (EAGAIN while the sensor is off) is left out.
    """
    readings: Dict[str, float] = {}
    for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*")):
        name, value = read_text(zone / "type"), read_text(zone / "temp")
        if name and value and re.match(r"-?\d+\Z", value):
            readings[name] = int(value) / 1000
    return readings


def cpu_clocks(root: Path) -> Optional[Dict[str, int]]:
    """Return the clock of every cpufreq policy, in hertz."""
    clocks = {}
    for policy in sorted((root / "sys/devices/system/cpu/cpufreq").glob("policy*")):
        kilohertz = read_int(policy / "scaling_cur_freq")
        if kilohertz is not None:
            clocks[policy.name] = kilohertz * 1000
    return clocks or None


def _clock(devfreq: Optional[Path]) -> Optional[int]:
    return read_int(devfreq / "cur_freq") if devfreq else None


def _governor(devfreq: Optional[Path]) -> Optional[str]:
    return (read_text(devfreq / "governor") or None) if devfreq else None


def _load(devfreq: Optional[Path]) -> Optional[float]:
    """Return the load of `37@1056000000Hz`, 0 to 1."""
    found = _DEVFREQ_LOAD.match(read_text(devfreq / "load") or "") if devfreq else None
    load = int(found.group(1)) / 100 if found else None
    return load if load is not None and load <= 1.0 else None


def _loads(devfreq: Optional[Path]) -> Optional[List[float]]:
    load = _load(devfreq)
    return None if load is None else [load]


def busy_ratio(before: Optional[Tuple[int, int]], now: Optional[Tuple[int, int]]) -> Optional[float]:
    """Return the load between two `cpu_times`, 0 to 1; None where nothing is known or no tick went by."""
    if before is None or now is None or now[1] <= before[1]:
        return None
    return max(0.0, min(1.0, (now[0] - before[0]) / (now[1] - before[1])))


def cpu_times(root: Path) -> Optional[Tuple[int, int]]:
    """Return (busy, all) ticks of all CPUs together since boot."""
    line = (read_text(root / "proc/stat") or "").split("\n", 1)[0].split()
    if len(line) < 6 or line[0] != "cpu" or not all(field.isdigit() for field in line[1:]):
        return None
    ticks = [int(field) for field in line[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)
