"""What a behaviour file stages around the true latency of the virtual NPU, call by call.

Everything is drawn from generators with seeds, and knows the time that the board has worked in its plan: the
same file, model and plan yield the same latencies, on any computer.
"""

from __future__ import annotations

import math
import random
from typing import Any, Dict, List, Optional

from rkbench_agent.runtimes.behaviour import Behaviour


class Staged:
    """Factors on the run stage of one load of one variant. `seed` is the variant's."""

    def __init__(self, behaviour: Behaviour, seed: int) -> None:
        self._behaviour = behaviour
        self._seed = seed
        self._random = random.Random(seed)
        self._scatter: Dict[str, Any] = behaviour.get("scatter") or {}
        self._modes: List[Dict[str, Any]] = behaviour.get("modes") or []
        night = self._scatter.get("night_number", 0)
        self._night = self._level("night", night)
        self._load = self._block = 1.0
        self._in_block = 0
        self._switched = False
        self._wander: Optional[float] = None

    def begin_load(self, worked_ns: int) -> None:
        """Draw the level of this load, which begins after so much work of the board."""
        self._random = random_of_load(self._seed, worked_ns)
        self._load = self._level("load", worked_ns)

    def begin_block(self, *, switched: bool = False) -> None:
        """Draw the level of the next block; `switched`: another model had the NPU since the last."""
        sd = float(self._scatter.get("block", 0.0))
        self._block = math.exp(self._random.gauss(0.0, sd)) if sd else 1.0
        self._in_block = 0
        self._switched = switched

    def factor(self, iteration: int, time_ns: int) -> float:
        """Return by what the next call is longer: the `iteration`-th since the load, at a time of work."""
        value = self._night * self._load * self._block
        value *= self._drift(time_ns) * self._wandering() * self._outlier() * self._mode()
        value *= _first(self._behaviour.get("cold"), iteration)
        value *= _first(self._behaviour.get("slow_turns"), self._in_block)
        if self._switched:
            value *= _first(self._behaviour.get("switches"), self._in_block)
        self._in_block += 1
        return value

    def _level(self, name: str, number: int) -> float:
        """Return a level that is the same for the same seed and number, however much was drawn before."""
        sd = float(self._scatter.get(name, 0.0))
        return math.exp(random.Random(f"{self._seed} {name} {number}").gauss(0.0, sd)) if sd else 1.0

    def _drift(self, time_ns: int) -> float:
        drift = self._behaviour.get("drift")
        if not drift:
            return 1.0
        return 1.0 + float(drift["ratio"]) * min(1.0, time_ns / (float(drift["over_s"]) * 1e9))

    def _wandering(self) -> float:
        wander = self._behaviour.get("wander")
        if not wander:
            return 1.0
        memory, sd = float(wander["memory"]), float(wander["sd"])
        if self._wander is None:
            self._wander = self._random.gauss(0.0, sd)
        else:
            step = self._random.gauss(0.0, sd * math.sqrt(1.0 - memory**2))
            self._wander = memory * self._wander + step
        return math.exp(self._wander)

    def _outlier(self) -> float:
        outliers = self._behaviour.get("outliers")
        if not outliers or self._random.random() >= float(outliers["share"]):
            return 1.0
        return float(outliers["factor"])

    def _mode(self) -> float:
        if not self._modes:
            return 1.0
        place = self._random.random()
        for mode in self._modes:
            place -= float(mode["share"])
            if place < 0:
                break
        return float(mode["factor"])


def random_of_load(seed: int, worked_ns: int) -> random.Random:
    """Return the generator of a load that begins after so much work of the board in its plan.

    A worker starts afresh with each load, always with its variant's seed: alone it would draw the same again.
    """
    return random.Random(f"{seed} {worked_ns}" if worked_ns else seed)


def interference_ns(periodic: Optional[Dict[str, Any]], time_ns: int, run_ns: float) -> float:
    """Return what a periodic disturbance adds to a run that begins at `time_ns` of work."""
    if not periodic:
        return 0.0
    period_ns = float(periodic["every_s"]) * 1e9
    hits = math.floor((time_ns + run_ns) / period_ns) - math.floor(time_ns / period_ns)
    return hits * float(periodic["extra_ms"]) * 1e6


def _first(value: Optional[Dict[str, Any]], index: int) -> float:
    return float(value["factor"]) if value and index < int(value["calls"]) else 1.0
