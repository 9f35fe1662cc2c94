"""The board that a behaviour file moves: its clock, heat and load over time, and the files that show them.

The virtual runtime writes them into the board's example tree while its clock runs, so that the agent's
sensors read what then was. Never on a real board.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from rkbench_agent.board.system_files import find_devfreq, read_int, read_text
from rkbench_agent.runtimes.behaviour import Behaviour

#: What a board that is neither hot nor slow reads where the behaviour file does not say.
IDLE_CELSIUS, HOT_CELSIUS = 45.0, 85.0
#: A governor that lets no clock follow a load or flap.
HELD = ("performance", "userspace")
TICKS_PER_S = 100


class Moment(NamedTuple):
    """The board at one moment. None: the behaviour file does not move it."""

    slowness: float = 1.0
    clock_hz: Optional[int] = None
    celsius: Optional[float] = None
    npu_loads: Optional[List[float]] = None
    cpu_load: Optional[float] = None
    cpu_ticks: int = 0


class VirtualBoardFiles:
    """The files of the tree under `root` that show a state; without a root nothing is written."""

    def __init__(self, root: Optional[Path]) -> None:
        self._root = root if root is not None and root != Path("/") else None
        self._npu = find_devfreq(self._root, "npu") if self._root is not None else None
        self._shown: Optional[Moment] = None

    def top_clock_hz(self) -> Optional[int]:
        """Return the NPU's highest clock."""
        return read_int(self._npu / "max_freq") if self._npu is not None else None

    def is_held(self) -> bool:
        """Return whether the NPU's governor holds its clock still."""
        return self._npu is not None and read_text(self._npu / "governor") in HELD

    def show(self, state: Moment) -> None:
        """Write what `state` moves and was not so when it was written last."""
        if self._root is None or state == self._shown:
            return
        before, self._shown = self._shown or Moment(), state
        if self._npu is not None and state.clock_hz is not None and state.clock_hz != before.clock_hz:
            _write(self._npu / "cur_freq", str(state.clock_hz))
        if state.celsius is not None and state.celsius != before.celsius:
            for zone in sorted((self._root / "sys/class/thermal").glob("thermal_zone*")):
                _write(zone / "temp", str(int(state.celsius * 1000)))
        if state.npu_loads is not None and state.npu_loads != before.npu_loads:
            cores = ", ".join(f"Core{core}: {load * 100:.0f}%" for core, load in enumerate(state.npu_loads))
            _write(self._root / "sys/kernel/debug/rknpu/load", f"NPU load:  {cores},")
        told = (state.cpu_load, state.cpu_ticks)
        if state.cpu_load is not None and told != (before.cpu_load, before.cpu_ticks):
            busy = int(state.cpu_ticks * state.cpu_load)
            _write(self._root / "proc/stat", f"cpu  {busy} 0 0 {state.cpu_ticks - busy} 0 0 0 0")


class VirtualBoardModel:
    """The board's state over the time that it has worked."""

    def __init__(self, behaviour: Behaviour, root: Optional[Path]) -> None:
        self._behaviour = behaviour
        self.files = VirtualBoardFiles(root)
        self._top_hz = self.files.top_clock_hz()
        self._held = False

    def moves(self) -> bool:
        """Return whether anything moves the sensors: then they are modelled, no recorded examples."""
        return any(_has(self._behaviour.get(key), *fields) for key, fields in _MOVERS)

    def begin_block(self, time_ns: int) -> None:
        """Look at the governor, and show the board as it is."""
        self._held = self.files.is_held()
        self.files.show(self.state(0, time_ns))

    def state(self, iteration: int, time_ns: int) -> Moment:
        """Return the state at the `iteration`-th call since the load, at a time of work."""
        slowness, clock_hz = self._clock(iteration, time_ns)
        others = self._behaviour.get("others") or {}
        busy = time_ns >= float(others.get("after_s", 0.0)) * 1e9
        cpu = others.get("cpu") if busy or "cpu" not in others else 0.0
        return Moment(
            slowness * (float(others.get("factor", 1.0)) if others and busy else 1.0),
            clock_hz,
            self._celsius(iteration, time_ns),
            others.get("npu") if busy or "npu" not in others else [0.0] * len(others["npu"]),
            cpu,
            time_ns // 100_000_000 * (TICKS_PER_S // 10) if cpu is not None else 0,
        )

    def _clock(self, iteration: int, time_ns: int) -> Tuple[float, Optional[int]]:
        slowness, clock_hz, moved = 1.0, self._top_hz, False
        for value, active in (
            (self._behaviour.get("clock"), not self._held),
            (self._behaviour.get("flapping"), not self._held and _flaps(self._flapping, iteration, time_ns)),
            (self._behaviour.get("throttling"), self._is_throttled(iteration, time_ns)),
        ):
            moved = moved or _has(value, "hz")
            if value and active:
                slowness *= float(value["factor"])
                clock_hz = int(value["hz"]) if "hz" in value else clock_hz
        return slowness, clock_hz if moved else None

    @property
    def _flapping(self) -> Dict[str, Any]:
        return self._behaviour.get("flapping") or {}

    def _is_throttled(self, iteration: int, time_ns: int) -> bool:
        value = self._behaviour.get("throttling")
        if not value:
            return False
        if "after_s" in value:
            return time_ns >= float(value["after_s"]) * 1e9
        return iteration >= int(value["after_iterations"])

    def _celsius(self, iteration: int, time_ns: int) -> Optional[float]:
        """Return the temperature, in whole degrees: it rises evenly until the board throttles."""
        value = self._behaviour.get("throttling")
        if not _has(value, "after_s"):
            return None
        assert value is not None
        cool, hot = float(value.get("from_celsius", IDLE_CELSIUS)), float(value.get("celsius", HOT_CELSIUS))
        if self._is_throttled(iteration, time_ns):
            return hot
        share = time_ns / max(1.0, float(value["after_s"]) * 1e9)
        return float(int(cool + (hot - cool) * min(1.0, share)))


_MOVERS = (
    ("clock", ("hz",)),
    ("flapping", ("hz",)),
    ("throttling", ("hz", "after_s")),
    ("others", ("npu", "cpu")),
)


def _has(value: Optional[Dict[str, Any]], *fields: str) -> bool:
    return any(field in (value or {}) for field in fields)


def _flaps(value: Dict[str, Any], iteration: int, time_ns: int) -> bool:
    """Return whether the clock is at its lower step: every other period."""
    if not value:
        return False
    if "period_s" in value:
        return int(time_ns / (float(value["period_s"]) * 1e9)) % 2 == 1
    return (iteration // int(value["period_iterations"])) % 2 == 1


def _write(path: Path, text: str) -> None:
    """Write `path` at once: the supervisor may read it at any time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    partial.write_text(text + "\n")
    partial.replace(path)
