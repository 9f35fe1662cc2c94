"""Waits before a run until the board is cool and calm. What it does not get in time becomes a caveat."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Callable, List, Optional, Tuple

from rkbench_agent.board.busiest import busiest_processes
from rkbench_agent.board.sensors import busy_ratio, cpu_times, npu_core_loads, temperatures
from rkbench_agent.board.system_files import SystemFiles
from rkbench_agent.wire.caveats import Caveat, caveat
from rkbench_agent.wire.messages import Progress
from rkbench_agent.wire.plan import RunSettings
from rkbench_agent.wire.words import CALMING, COOLING

COOLING_INTERVAL_S = 1.0
#: The CPUs' load is counted over this time, all of them together.
LOAD_WINDOW_S = 0.2
#: More than this before a run, when no worker of ours is there, is the load of others.
BUSY_CPU_RATIO = 0.25
BUSY_NPU_RATIO = 0.05


class Readiness:
    """What `settings` ask of the board before each run.

    `turn` waits for so many seconds at most and hears the host meanwhile, `send` takes the progress: what is
    waited for is told at least once a second.
    """

    def __init__(
        self,
        settings: RunSettings,
        root: Path,
        turn: Callable[[float], object],
        send: Callable[[Progress], None],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._root = root
        self._turn = turn
        self._send = send
        self._now_s = now_s

    def cool(self, run: str) -> List[Caveat]:
        """Wait until every thermal zone is below the limit of the settings; return the doubts."""
        limit = self._settings.cool_below_celsius
        if limit is None:
            return []
        deadline = self._now_s() + self._settings.cool_limit_s
        while True:
            zones = temperatures(SystemFiles(self._root))
            if not zones:
                text = "no temperature can be read: it was not waited for the board to cool"
                return [caveat("temperature_unknown", text, "bench boards check NAME says what is missing")]
            zone = max(zones, key=lambda name: zones[name])
            if zones[zone] < limit:
                return []
            left_s = deadline - self._now_s()
            if left_s <= 0:
                return [_not_cool(zone, zones[zone], limit, self._settings.cool_limit_s)]
            self._send(Progress(run, COOLING, zones[zone], limit, "celsius", zone))
            self._pause(min(COOLING_INTERVAL_S, left_s))

    def calm(self, run: str) -> List[Caveat]:
        """Wait a little while others load CPUs or NPU; return the doubt if they go on."""
        limit_s = self._settings.calm_limit_s
        if limit_s <= 0:
            return []
        start = self._now_s()
        while True:
            busy = self._find_load()
            if busy is None:
                return []
            waited_s = self._now_s() - start
            self._send(Progress(run, CALMING, min(waited_s, limit_s), limit_s, "s", busy))
            if waited_s >= limit_s:
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
        end = self._now_s() + seconds
        while self._now_s() < end:
            self._turn(max(0.0, end - self._now_s()))


def _background(busy: str, waited_s: float, who: List[str]) -> Caveat:
    text = f"others load the board: {busy} before the run, for {waited_s:g} s"
    if not who:
        return caveat("background_load", text, "find who (top), and measure when it is over")
    advice = "stop them, or measure when they are over"
    return caveat("background_load", f"{text}; most of the CPUs: {', '.join(who)}", advice)


def _not_cool(zone: str, celsius: float, limit: float, waited_s: float) -> Caveat:
    text = f"{zone} was still at {celsius:.1f} °C after {waited_s:g} s (wanted below {limit:g} °C)"
    return caveat("not_cool", text, "give it a fan, wait longer (--cool-limit), or ask for less")
