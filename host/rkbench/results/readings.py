"""The board's sensors over a run: which samples count, and their summary by quantity and part."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from rkbench_agent.wire.board import Reading

from rkbench.results.latencies import RawLatencies
from rkbench.results.model import Readings, Sensor


def split_readings(
    all_readings: Sequence[Reading], latencies: RawLatencies
) -> tuple[list[Reading], list[Reading]]:
    """Return the samples taken while a timed block ran, and those to keep: of the whole timed part.

    Where too few lie in the timed part, the last one before is kept too, and without any all of them.
    """
    blocks = latencies.block_windows_ns()
    if not blocks:
        return [], list(all_readings)
    first, last = min(start for start, _ in blocks), max(end for _, end in blocks)
    around = [reading for reading in all_readings if first <= reading.time_ns <= last]
    inside = [item for item in around if any(start <= item.time_ns <= end for start, end in blocks)]
    if len(around) < 2:
        earlier = [reading for reading in all_readings if reading.time_ns < first]
        around = earlier[-1:] + around or list(all_readings)
    return inside, around


def summarize_readings(
    inside: Sequence[Reading], around: Sequence[Reading], before: Sequence[Reading]
) -> Readings | None:
    """Return the summary of every sensor that was read inside, else around; None without readings."""
    taken = inside or around
    if not taken and not before:
        return None
    series: dict[tuple[str, str | None], list[float]] = {}
    for reading in taken:
        for quantity, part, value in _values(reading):
            series.setdefault((quantity, part), []).append(value)
    loads = [value for item in before for value in item.npu_load_ratio or ()]
    return Readings(
        count=len(taken),
        npu_load_ratio_before=max(loads, default=None),
        inside_count=len(inside),
        sensors=tuple(sorted((_sensor(*key, values) for key, values in series.items()), key=_by_name)),
    )


def _values(reading: Reading) -> Iterator[tuple[str, str | None, float]]:
    """Yield quantity, part and value of every number; what is the whole board's has no part."""
    for quantity, value in vars(reading).items():
        if quantity == "time_ns":
            continue
        if isinstance(value, Mapping):
            parts: list[tuple[str | None, object]] = [(str(part), item) for part, item in value.items()]
        elif isinstance(value, list):
            parts = [(str(index), item) for index, item in enumerate(value)]
        else:
            parts = [(None, value)]
        yield from ((quantity, part, float(item)) for part, item in parts if isinstance(item, (int, float)))


def _sensor(quantity: str, part: str | None, values: Sequence[float]) -> Sensor:
    return Sensor(
        name=quantity if part is None else f"{quantity}[{part}]",
        count=len(values),
        first=values[0],
        min=min(values),
        mean=math.fsum(values) / len(values),
        max=max(values),
        last=values[-1],
        quantity=quantity,
        part=part,
    )


def _by_name(sensor: Sensor) -> str:
    return sensor.name
