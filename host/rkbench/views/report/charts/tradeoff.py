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
    drawn,
    points,
    quantity,
    seconds_scale,
)
from rkbench.views.report.names import Named, mark_of_any

Row = dict[str, Any]
_SIZE = quantity("size", "file size (MB)")
_BYTES_PER_MB = 1e6


def tradeoff_charts(runs: Sequence[Named]) -> list[Chart]:
    """Return the drawing of two runs or more that have a latency; none of fewer."""
    latencies = [(item, latency) for item in runs if (latency := item.collected.run.latency) is not None]
    if len(latencies) < 2:
        return []
    scale = seconds_scale(max(latency.p50_s for _, latency in latencies))
    places = [(item.collected.run.variant.size_bytes, latency.p50_s) for item, latency in latencies]
    rows = [
        _row(item, latency, scale, in_front=not any(_beats(other, place) for other in places))
        for (item, latency), place in zip(latencies, places, strict=True)
    ]
    mark = mark_of_any(runs)
    y = f"{mark}latency p50 ({scale.unit})"
    note = "Nearer to the lower left is better; the line joins those that no other beats in both."
    if not all(row["kept"] for row in rows):
        note += " A cross misses a requirement of the push."
    layers = [_front(rows, y), *_points(rows, y, [item.name for item, _ in latencies])]
    return [drawn("tradeoff", "Size against latency", note, {"height": 260, "layer": layers})]


def _row(item: Named, latency: Latency, scale: Scale, *, in_front: bool) -> Row:
    within, run = latency.within(50.0), item.collected.run
    kept = all(requirement.state != FAIL for requirement in run.requirements)
    return {
        "series": item.name,
        "size": round(run.variant.size_bytes / _BYTES_PER_MB, 4),
        "latency": scale.of(latency.p50_s),
        "low": scale.of(within.low_s or latency.p50_s),
        "high": scale.of(within.high_s or latency.p50_s),
        "kept": kept,
        "front": kept and in_front,
    }


def _front(rows: Sequence[Row], title: str) -> Spec:
    return {
        "data": {"values": sorted((row for row in rows if row["front"]), key=lambda row: float(row["size"]))},
        "mark": {"type": "line", "interpolate": "step-after", "color": INK, "opacity": 0.35},
        "encoding": {"x": _SIZE, "y": quantity("latency", title)},
    }


def _points(rows: Sequence[Row], title: str, names: Sequence[str]) -> list[Spec]:
    told = points(names)
    bounds = {"x": _SIZE, "y": quantity("low", title), "y2": {"field": "high"}, "color": told["color"]}
    middle = {"x": _SIZE, "y": quantity("latency", title)}
    kept, crossed = ({"values": [row for row in rows if row["kept"] is held]} for held in (True, False))
    mark = {"type": "point", "filled": True, "size": 90, "opacity": 1}
    missed = {"data": crossed, "mark": {**mark, "shape": "cross"}}
    return [
        {"data": {"values": list(rows)}, "mark": {"type": "rule", "strokeWidth": 2}, "encoding": bounds},
        {"data": kept, "mark": mark, "encoding": {**middle, **told}},
        *([{**missed, "encoding": {**middle, "color": told["color"]}}] if crossed["values"] else []),
    ]


def _beats(other: tuple[float, float], point: tuple[float, float]) -> bool:
    """Return whether `other` is no worse in both, and better in one."""
    return other != point and all(one <= two for one, two in zip(other, point, strict=True))
