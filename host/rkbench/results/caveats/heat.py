"""Clocks that fell because the board was hot, by the board's own trip points."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rkbench_agent.wire.caveats import INFORMATION, Caveat, caveat
from rkbench_agent.wire.words import NPU

from rkbench.results.caveats.clocks import clock_sensors, cpu_clock_sensors
from rkbench.results.caveats.cures import cooler
from rkbench.results.caveats.rule import Evidence, Rule
from rkbench.results.model import TEMPERATURE, RunResult, Sensor
from rkbench.units import format_celsius

#: Where a board tells no trip points: the vendor's kernels throttle from 75 to 85 degrees Celsius on.
HOT_CELSIUS = 80.0


def _throttling(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    zones = run.readings.of(TEMPERATURE) if run.readings else ()
    hot = [(zone, limit) for zone in zones if zone.max >= (limit := _limit(run, zone))]
    if not hot:
        return
    zone, limit = max(hot, key=lambda item: item[0].max - item[1])
    clocks = [*cpu_clock_sensors(run), *(item for item in clock_sensors(run) if item[0] == NPU)]
    fell = [part for part, clock in clocks if clock.min < clock.max]
    known = f"the kernel throttles from {format_celsius(limit)} on there"
    if run.board.passive_trips_celsius is None:
        known = f"the board tells no trip point, {format_celsius(limit)} is taken"
    held = bool(clocks) and not fell
    tail = (
        f", and the clock of {' and '.join(fell)} moved" if fell else ", but no clock moved" if held else ""
    )
    text = f"{zone.part} reached {format_celsius(zone.max)} ({known}){tail}"
    found = caveat("throttling", text, cooler(run))
    yield replace(found, weight=INFORMATION) if held else found


def _limit(run: RunResult, zone: Sensor) -> float:
    """Return where a zone throttles: never where only others of the board have trip points."""
    trips = run.board.passive_trips_celsius
    return HOT_CELSIUS if trips is None else trips.get(zone.part or "", float("inf"))


HEAT_RULES: tuple[Rule, ...] = (_throttling,)
