"""What a variant costs against what it gains: size and latency, with the front that nothing beats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rkbench.results.model import Latency
from rkbench.stats.gates import FAIL
from rkbench.views.report.charts.spec import (
    INK,
    Chart,
    Scale,
    Spec,
    bytes_scale,
    drawn,
    points,
    quantity,
    seconds_scale,
)
from rkbench.views.report.names import Named, mark_of_any

Row = dict[str, Any]


def tradeoff_charts(runs: Sequence[Named]) -> list[Chart]:
    """Return the drawing of two runs or more that have a latency; none of fewer."""
    latencies = [(item, latency) for item in runs if (latency := item.collected.run.latency) is not None]
    if len(latencies) < 2:
        return []
    times = seconds_scale(max(latency.p50_s for _, latency in latencies))
    sizes = bytes_scale(max(item.collected.run.variant.size_bytes for item, _ in latencies))
    rows = [_row(item, latency, sizes, times) for item, latency in latencies]
    front, mark = _front(rows), mark_of_any(runs)
    axes = {
        "x": quantity("size", f"file size ({sizes.unit})"),
        "y": quantity("latency", f"{mark}latency p50 ({times.unit})"),
    }
    told = points([item.name for item, _ in latencies], [item.name for item in runs])
    layers = [_line(front, axes), *_points(rows, axes, told)]
    note = _note(rows, front)
    return [drawn("tradeoff", "Size against latency", note, {"height": 260, "layer": layers})]


def _note(rows: Sequence[Row], front: Sequence[Row]) -> str:
    """Return how to read the drawing: of its line only where there is one."""
    parts = ["Nearer to the lower left is better"]
    if len(front) > 1:
        parts.append("the line joins those that no other beats in both")
    elif front:
        parts.append(f"no other beats {front[0]['series']}")
    crossed = any(not row["kept"] for row in rows)
    return f"{'; '.join(parts)}." + " A cross misses a requirement of the push, and beats nothing." * crossed


def _row(item: Named, latency: Latency, sizes: Scale, times: Scale) -> Row:
    within, run = latency.within(50.0), item.collected.run
    return {
        "series": item.name,
        "size": round(sizes.of(run.variant.size_bytes), 4),
        "latency": times.of(latency.p50_s),
        "low": times.of(within.low_s or latency.p50_s),
        "high": times.of(within.high_s or latency.p50_s),
        "kept": all(requirement.state != FAIL for requirement in run.requirements),
    }


def _front(rows: Sequence[Row]) -> list[Row]:
    """Return those that keep every requirement, and that no other of these beats, the smallest first."""
    kept = sorted((row for row in rows if row["kept"]), key=lambda row: float(row["size"]))
    return [row for row in kept if not any(_beats(other, row) for other in kept)]


def _line(front: Sequence[Row], axes: Spec) -> Spec:
    return {
        "data": {"values": list(front)},
        "mark": {"type": "line", "interpolate": "step-after", "color": INK, "opacity": 0.35},
        "encoding": axes,
    }


def _points(rows: Sequence[Row], axes: Spec, told: Spec) -> list[Spec]:
    bounds = {"x": axes["x"], "y": {**axes["y"], "field": "low"}, "y2": {"field": "high"}}
    kept, crossed = ({"values": [row for row in rows if row["kept"] is held]} for held in (True, False))
    mark = {"type": "point", "filled": True, "size": 90, "opacity": 1}
    missed = {"data": crossed, "mark": {**mark, "shape": "cross"}}
    return [
        {
            "data": {"values": list(rows)},
            "mark": {"type": "rule", "strokeWidth": 2},
            "encoding": {**bounds, "color": told["color"]},
        },
        {"data": kept, "mark": mark, "encoding": {**axes, **told}},
        *([{**missed, "encoding": {**axes, "color": told["color"]}}] if crossed["values"] else []),
    ]


def _beats(other: Row, row: Row) -> bool:
    """Return whether `other` is no worse in both, and better in one."""
    one, two = ((found["size"], found["latency"]) for found in (other, row))
    return one != two and all(ours <= theirs for ours, theirs in zip(one, two, strict=True))
