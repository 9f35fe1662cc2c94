"""A push over time: the latency of its blocks, and beneath on the same axis clocks, temperature and load."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from rkbench_agent.wire.board import Reading

from rkbench.views.report.charts.spec import (
    INK,
    LINE,
    SOFT,
    Chart,
    Spec,
    drawn,
    points,
    quantity,
    seconds_scale,
)
from rkbench.views.report.names import Named, mark_of_any

Row = dict[str, Any]
#: So many pushes have a drawing of their own; a night has one for each of its cells.
_MOST_PUSHES = 16
#: So many blocks a run are drawn at most, neighbours taken together; so many samples of a sensor.
_MOST_BLOCKS, _MOST_SAMPLES = 240, 400
_SENSORS = [INK, SOFT, *(f"var(--s{number})" for number in (2, 1, 3, 4, 5, 6))]
_TIME = "time since the first timed call (s)"


def timeline_charts(runs: Sequence[Named]) -> list[Chart]:
    """Return a drawing for each push of the runs, in which their blocks took turns; of many the first."""
    pushes: dict[str, list[Named]] = {}
    for item in runs:
        pushes.setdefault(item.collected.run.push, []).append(item)
    every = [item.name for item in runs]
    drawn_of = list(pushes.items())[:_MOST_PUSHES]
    charts = [_timeline(told, push if len(pushes) > 1 else "", every) for push, told in drawn_of]
    found = [chart for chart in charts if chart is not None]
    if found and len(pushes) > _MOST_PUSHES:
        rest = f" {len(pushes) - _MOST_PUSHES} pushes more have none here: bench report RUN draws each."
        found[-1] = replace(found[-1], note=found[-1].note + rest)
    return found


def _timeline(runs: Sequence[Named], push: str, every: Sequence[str]) -> Chart | None:
    windows = [item.collected.latencies.window_ns() for item in runs]
    begin_ns = min((window[0] for window in windows if window), default=None)
    if begin_ns is None:
        return None
    blocks = [row for item in runs for row in _blocks(item, begin_ns)]
    names = [item.name for item in runs if any(row["series"] == item.name for row in blocks)]
    scale = seconds_scale(max(row["high"] for row in blocks))
    for row in blocks:
        row.update({key: round(scale.of(row[key]), 6) for key in ("low", "mid", "high")})
    mark = mark_of_any(runs)
    readings = [sample for item in runs for sample in item.collected.readings]
    readings = list({sample.time_ns: sample for sample in readings}.values())
    told, title = points(names, every), f"{mark}latency ({scale.unit})"
    parts = [_turns(blocks, names, told), _latencies(blocks, _loads(runs, begin_ns), told, title)]
    parts += list(_sensors(sorted(readings, key=lambda sample: sample.time_ns), begin_ns, mark))
    last = parts[-1].get("layer", [parts[-1]])[-1]
    last["encoding"]["x"] = {**last["encoding"]["x"], "title": _TIME, "axis": {}}
    spec: Spec = {
        "vconcat": parts,
        "spacing": 12,
        "resolve": {"scale": {"x": "shared", "color": "independent", "shape": "independent"}},
    }
    whose = runs[0].name if len(runs) == 1 else f"push {push}"
    title = "Latency over time" + (f": {whose}" if push else "")
    note = (
        "Above, whose block was timed when. A dot is the median of a block, its line 10 to 90 % of its calls;"
        " upright lines are new loads of the models. Beneath, what the board's sensors said meanwhile."
    )
    return drawn(f"timeline{push}", title, note, spec)


def _blocks(item: Named, begin_ns: int) -> Iterator[Row]:
    """Yield the timed blocks of a run, in seconds; neighbours together where there are many."""
    import numpy as np

    raw = item.collected.latencies
    durations, starts = raw.timed_arrays(), raw.timed_arrays("start_ns")
    join = max(1, -(-len(durations) // _MOST_BLOCKS))
    for first in range(0, len(durations), join):
        calls = np.concatenate(durations[first : first + join])
        begun_ns = np.concatenate(starts[first : first + join])
        begun, ended = ((float(at) - begin_ns) / 1e9 for at in (begun_ns[0], begun_ns[-1] + calls[-1]))
        low, mid, high = (float(value) / 1e9 for value in np.quantile(calls, (0.1, 0.5, 0.9)))
        times = {"from": round(begun, 4), "to": round(ended, 4), "at": round((begun + ended) / 2, 4)}
        yield {"series": item.name, **times, "low": low, "mid": mid, "high": high}


def _loads(runs: Sequence[Named], begin_ns: int) -> list[Row]:
    """Return when the first block of each load but the first began."""
    begun: dict[int, float] = {}
    for item in runs:
        raw = item.collected.latencies
        for load, (start, _) in zip(raw.block_loads(), raw.block_windows_ns(), strict=True):
            at = (start - begin_ns) / 1e9
            begun[load] = min(at, begun.get(load, at))
    return [{"at": round(at, 4)} for load, at in sorted(begun.items()) if load]


def _x(field: str = "at") -> Spec:
    return quantity(field, None, axis={"labels": False, "ticks": False}, scale={"zero": False, "nice": False})


def _turns(blocks: Sequence[Row], names: Sequence[str], told: Spec) -> Spec:
    return {
        "height": max(10, 8 * len(names)),
        "data": {"values": list(blocks)},
        "mark": {"type": "bar", "height": {"band": 0.8}},
        "encoding": {
            "x": _x("from"),
            "x2": {"field": "to"},
            "y": {"field": "series", "type": "nominal", "sort": list(names), "title": None,
                  "axis": {"labels": False, "ticks": False, "domain": False}},
            "color": {**told["color"], "legend": None},
        },
    }  # fmt: skip


def _latencies(blocks: Sequence[Row], loads: Sequence[Row], told: Spec, title: str) -> Spec:
    return {
        "height": 220,
        "layer": [
            {
                "data": {"values": list(loads)},
                "mark": {"type": "rule", "color": LINE, "strokeWidth": 1.5},
                "encoding": {"x": _x()},
            },
            {
                "data": {"values": list(blocks)},
                "mark": {"type": "rule", "opacity": 0.55, "strokeWidth": 1.5},
                "encoding": {
                    "x": _x(),
                    "y": quantity("low", title, scale={"zero": False}),
                    "y2": {"field": "high"},
                    "color": told["color"],
                },
            },
            {
                "data": {"values": list(blocks)},
                "mark": {"type": "point", "filled": True, "size": 22, "opacity": 1},
                "encoding": {
                    "x": _x(),
                    "y": quantity("mid", title, scale={"zero": False}),
                    **told,
                },
            },
        ],
    }


def _sensors(readings: Sequence[Reading], begin_ns: int, mark: str) -> Iterator[Spec]:
    """Yield a drawing for each kind of sensor that was read: clocks, temperature, load."""
    step = max(1, len(readings) // _MOST_SAMPLES)
    told = [(round((sample.time_ns - begin_ns) / 1e9, 4), sample) for sample in readings[::step]]
    for title, read, scale in _KINDS:
        rows = [
            {"at": at, "part": part, "value": round(value, 4)}
            for at, sample in told
            for part, value in read(sample)
        ]
        if rows:
            yield _lines(rows, f"{mark}{title}", scale)


def _lines(rows: Sequence[Row], title: str, scale: Spec) -> Spec:
    parts = list(dict.fromkeys(row["part"] for row in rows))
    if scale == _FREE and len({row["value"] for row in rows}) == 1:  # else the one label reads as its value
        scale = {"domain": [rows[0]["value"] - 1, rows[0]["value"] + 1]}
    several = len(parts) > 1
    return {
        "height": 64,
        "data": {"values": list(rows)},
        "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 1.5, "color": INK},
        "encoding": {
            "x": _x(),
            "y": quantity("value", title, scale=scale, axis={"tickCount": 3}),
            "color": {"field": "part", "type": "nominal", "title": None,
                      "scale": {"domain": parts, "range": _SENSORS},
                      "legend": {"orient": "top", "symbolType": "stroke", "offset": 4} if several else None},
        },
    }  # fmt: skip


def _clocks(sample: Reading) -> Iterator[tuple[str, float]]:
    for part, hertz in (("NPU", sample.npu_clock_hz), ("DDR", sample.ddr_clock_hz)):
        if hertz is not None:
            yield part, hertz / 1e6


def _temperature(sample: Reading) -> Iterator[tuple[str, float]]:
    zones = sample.temperature_celsius or {}
    if zones:
        hottest = max(zones, key=lambda zone: zones[zone])
        yield "hottest zone", zones[hottest]


def _load(sample: Reading) -> Iterator[tuple[str, float]]:
    for core, ratio in enumerate(sample.npu_load_ratio or ()):
        yield f"NPU {core}", ratio * 100
    if sample.cpu_load_ratio is not None:
        yield "CPUs", sample.cpu_load_ratio * 100


_FREE: Spec = {"zero": False}
_KINDS: tuple[tuple[str, Callable[[Reading], Iterator[tuple[str, float]]], Spec], ...] = (
    ("clock (MHz)", _clocks, {"zero": True}),
    ("temp. (°C)", _temperature, _FREE),
    ("load (%)", _load, {"domain": [0, 100]}),
)
