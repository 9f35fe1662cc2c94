"""Clocks that fell because the board was hot."""

from __future__ import annotations

from collections.abc import Iterator

from rkbench_agent.wire.caveats import Caveat, caveat
from rkbench_agent.wire.words import NPU

from rkbench.runs.caveats.clocks import clock_sensors
from rkbench.runs.caveats.rule import Evidence, Rule
from rkbench.runs.model import TEMPERATURE, RunResult
from rkbench.units import format_celsius

#: The vendor's kernels throttle from 75 to 85 degrees Celsius on; the passive trip point differs by board.
HOT_CELSIUS = 80.0


def _throttling(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    heat = run.readings.of(TEMPERATURE) if run.readings else ()
    hottest = max(heat, key=lambda sensor: sensor.max, default=None)
    if hottest is None or hottest.max < HOT_CELSIUS:
        return
    fell = any(part == NPU and clock.last < clock.max for part, clock in clock_sensors(run))
    yield caveat(
        "throttling",
        f"{hottest.part} reached {format_celsius(hottest.max)}"
        + (", and the NPU clock fell" if fell else ""),
        "cool the board, or let it rest between runs",
    )


HEAT_RULES: tuple[Rule, ...] = (_throttling,)
