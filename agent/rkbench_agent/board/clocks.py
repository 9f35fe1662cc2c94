"""What has a clock of its own: NPU, GPU and memory by devfreq, CPUs by cpufreq. Clocks in hertz.

`rknpu/freq` powers the NPU on, and `rknpu/volt` can crash the reader: neither is ever read.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Tuple

from rkbench_agent.board.system_files import NOT_THERE, Absence, SystemFiles, find_devfreq, read_text

CPUFREQ = "sys/devices/system/cpu/cpufreq"
_LOAD = re.compile(r"(\d+)@\d+Hz\Z")


class Devfreq:
    """One device of devfreq: npu, gpu or dmc. All is None where the board under `root` has none."""

    def __init__(self, root: Path, name: str) -> None:
        self._folder = find_devfreq(root, name)
        self._absence = Absence(root / "sys/class/devfreq" / name, NOT_THERE, is_fault=False)

    @property
    def is_there(self) -> bool:
        """Whether the board has it."""
        return self._folder is not None

    @property
    def name(self) -> Optional[str]:
        """Its name in /sys/class/devfreq."""
        return self._folder.name if self._folder is not None else None

    def clock_hz(self, files: SystemFiles) -> Optional[int]:
        """Return its clock now."""
        return self._number(files, "cur_freq")

    def max_clock_hz(self, files: SystemFiles) -> Optional[int]:
        """Return the highest clock that it may have."""
        return self._number(files, "max_freq")

    def clocks_hz(self) -> Optional[List[int]]:
        """Return the clocks that it can be set to, as the board lists them."""
        text = read_text(self._folder / "available_frequencies") if self._folder is not None else None
        return [int(word) for word in (text or "").split() if word.isdigit()] or None

    def governor(self, files: SystemFiles) -> Optional[str]:
        """Return the name of its governor."""
        return self._text(files, "governor") or None

    def load_ratio(self, files: SystemFiles) -> Optional[float]:
        """Return the load of `37@1056000000Hz`, 0 to 1; not every driver tells it.

        Not for the NPU: the vendor's driver counts none, and says 100 for ever (`sensors.npu_load`).
        """
        text = self._text(files, "load")
        if self._folder is None or not text:
            return None
        found = _LOAD.match(text)
        if found is None or int(found.group(1)) > 100:
            files.fault(self._folder / "load", f"no load: {text[:40]!r}")
            return None
        return int(found.group(1)) / 100

    def _text(self, files: SystemFiles, name: str) -> Optional[str]:
        if self._folder is None:
            files.absences.append(self._absence)
            return None
        return files.text(self._folder / name)

    def _number(self, files: SystemFiles, name: str) -> Optional[int]:
        if self._folder is None:
            files.absences.append(self._absence)
            return None
        return files.number(self._folder / name)


def ddr_clock_hz(files: SystemFiles, devfreq: Devfreq) -> Optional[int]:
    """Return the memory's clock: of devfreq, else of the clock tree (debugfs, root only)."""
    if devfreq.is_there:
        return devfreq.clock_hz(files)
    for name in ("scmi_clk_ddr", "clk_scmi_ddr"):
        clock_hz = files.number(files.root / "sys/kernel/debug/clk" / name / "clk_rate", is_root_only=True)
        if clock_hz is not None:
            return clock_hz
    return None


def cpu_clocks(files: SystemFiles) -> Optional[Dict[str, int]]:
    """Return the clock of every cpufreq policy, by its name."""
    return _policy_clocks(files, "scaling_cur_freq")


def cpu_max_clocks(files: SystemFiles) -> Optional[Dict[str, int]]:
    """Return the highest clock that each policy allows."""
    return _policy_clocks(files, "scaling_max_freq")


def cpu_governors(files: SystemFiles) -> Optional[Dict[str, str]]:
    """Return the governor of every cpufreq policy."""
    found = ((name, files.text(folder / "scaling_governor")) for name, folder in _policies(files.root))
    return {name: governor for name, governor in found if governor} or None


def _policy_clocks(files: SystemFiles, file: str) -> Optional[Dict[str, int]]:
    found = ((name, files.number(folder / file)) for name, folder in _policies(files.root))
    return {name: kilohertz * 1000 for name, kilohertz in found if kilohertz is not None} or None


def _policies(root: Path) -> Iterator[Tuple[str, Path]]:
    return ((folder.name, folder) for folder in sorted((root / CPUFREQ).glob("policy*")))
