"""Waits before a run until the board is cool and calm. What it does not get in time becomes a caveat."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Callable, List, Optional, Tuple

from rkbench_agent.board.busiest import busiest_processes
from rkbench_agent.board.sensors import busy_ratio, cpu_times, npu_core_loads, temperatures
from rkbench_agent.board.system_files import SystemFiles
from rkbench_agent.loop import Loop
from rkbench_agent.wire.caveats import Caveat, caveat
from rkbench_agent.wire.messages import Progress
from rkbench_agent.wire.plan import RunSettings

COOLING_INTERVAL_S = 1.0
#: The CPUs' load is counted over this time, all of them together.
LOAD_WINDOW_S = 0.2
#: More than this before a run, when no worker of ours is there, is the load of others.
BUSY_CPU_RATIO = 0.25
BUSY_NPU_RATIO = 0.05


class Readiness:
    """What `settings` ask of the board before each run; `send` takes the progress lines."""

    def __init__(
        self, settings: RunSettings, root: Path, loop: Loop, send: Callable[[Progress], None]
    ) -> None:
        self._settings = settings
        self._root = root
        self._loop = loop
        self._send = send

    def cool(self, run: str) -> List[Caveat]:
        """Wait until every thermal zone is below the limit of the settings; return the doubts."""
        limit = self._settings.cool_below_celsius
        if limit is None:
            return []
        deadline = time.monotonic() + self._settings.cool_limit_s
        while True:
            zones = temperatures(SystemFiles(self._root))
            if not zones:
                text = "no temperature can be read: it was not waited for the board to cool"
                return [caveat("temperature_unknown", text, "bench boards check NAME says what is missing")]
            zone = max(zones, key=lambda name: zones[name])
            if zones[zone] < limit:
                return []
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return [_not_cool(zone, zones[zone], limit, self._settings.cool_limit_s)]
            self._send(Progress(run, "cooling", zones[zone], limit, "celsius"))
            self._pause(min(COOLING_INTERVAL_S, left_s))

    def calm(self) -> List[Caveat]:
        """Wait a little while others load CPUs or NPU; return the doubt if they go on."""
        limit_s = self._settings.calm_limit_s
        if limit_s <= 0:
            return []
        deadline = time.monotonic() + limit_s
        while True:
            busy = self._find_load()
            if busy is None:
                return []
            if time.monotonic() >= deadline:
                return [_background(busy, limit_s, busiest_processes(self._root, self._pause, LOAD_WINDOW_S))]

    def _find_load(self) -> Optional[str]:
        """Return what is busy, in words, or None; takes LOAD_WINDOW_S where the CPUs tell their load."""
        before, loads = self._cpu_times(), self._npu_loads()
        if before is not None or (loads and max(loads) > BUSY_NPU_RATIO):
            self._pause(LOAD_WINDOW_S)
        cpu, loads = busy_ratio(before, self._cpu_times()), self._npu_loads()
        told = []
        if cpu is not None and cpu > BUSY_CPU_RATIO:
            told.append(f"CPUs {cpu * 100:.0f} %")
        if loads and max(loads) > BUSY_NPU_RATIO:
            told.append(f"NPU {max(loads) * 100:.0f} %")
        return " and ".join(told) or None

    def _cpu_times(self) -> Optional[Tuple[int, int]]:
        return cpu_times(SystemFiles(self._root))

    def _npu_loads(self) -> List[float]:
        return npu_core_loads(SystemFiles(self._root)) or []

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._loop.turn(max(0.0, end - time.monotonic()))


def _background(busy: str, waited_s: float, who: List[str]) -> Caveat:
    text = f"others load the board: {busy} before the run, for {waited_s:g} s"
    if not who:
        return caveat("background_load", text, "find who (top), and measure when it is over")
    advice = "stop them, or measure when they are over"
    return caveat("background_load", f"{text}; most of the CPUs: {', '.join(who)}", advice)


def _not_cool(zone: str, celsius: float, limit: float, waited_s: float) -> Caveat:
    text = f"{zone} was still at {celsius:.1f} °C after {waited_s:g} s (wanted below {limit:g} °C)"
    return caveat("not_cool", text, "give it a fan, wait longer (--cool-limit), or ask for less")
