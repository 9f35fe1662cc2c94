"""What the steps of a scenario did: the rate by contexts, the latency by the rate that arrived."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rkbench.results.server import parse_slo
from rkbench.views.report.charts.spec import (
    INK,
    WHOLE_NUMBERS,
    Chart,
    Spec,
    drawn,
    quantity,
    seconds_scale,
    series,
)
from rkbench.views.report.names import Named, mark_of_any


def scenario_charts(runs: Sequence[Named]) -> list[Chart]:
    """Return a drawing for each run of the scenarios offline and server."""
    found = [*(_offline(item) for item in runs), *(_server(item) for item in runs)]
    return [chart for chart in found if chart is not None]


def _offline(item: Named) -> Chart | None:
    swept = item.collected.run.offline
    if swept is None:
        return None
    rows = [
        {
            "series": step.placement,
            "contexts": step.contexts,
            "rate": round(step.rate_per_s, 4),
            "low": step.low_per_s or step.rate_per_s,
            "high": step.high_per_s or step.rate_per_s,
        }
        for step in swept.steps
    ]
    names = list(dict.fromkeys(str(row["series"]) for row in rows))
    x = quantity("contexts", "contexts busy at once", axis=WHOLE_NUMBERS)
    y = f"{mark_of_any([item])}calls a second (1/s)"
    layers: list[Spec] = [
        {
            "mark": {"type": "line", "point": {"filled": True, "size": 40}, "strokeWidth": 2},
            "encoding": {"x": x, "y": quantity("rate", y), **series(names)},
        },
        {
            "mark": {"type": "rule", "strokeWidth": 1.5},
            "encoding": {
                "x": x,
                "y": quantity("low", y),
                "y2": {"field": "high"},
                "color": series(names)["color"],
            },
        },
    ]
    spec: Spec = {"height": 220, "data": {"values": rows}, "layer": layers}
    where = swept.saturation
    note = "A line is a placement on the NPU's cores; upright lines hold the rate with 95 %."
    note += f" It saturates at {where.contexts}." if where.is_reached else " It still rises at the end."
    return drawn(f"offline-{item.name}", f"{item.name}: rate by contexts", note, spec)


def _server(item: Named) -> Chart | None:
    served = item.collected.run.server
    rated = [tried for tried in served.tries if tried.rate_per_s] if served else []
    if served is None or not rated:
        return None
    scale = seconds_scale(max(tried.p99_s or tried.p50_s or 0.0 for tried in rated))
    rows = [
        {"series": name, "rate": tried.rate_per_s, "latency": scale.of(value)}
        for tried in sorted(rated, key=lambda tried: tried.rate_per_s or 0.0)
        for name, value in (("p50", tried.p50_s), ("p90", tried.p90_s), ("p99", tried.p99_s))
        if value is not None
    ]
    names = ["p50", "p90", "p99"]
    y = f"{mark_of_any([item])}latency from when a call was due ({scale.unit})"
    layers: list[Spec] = [
        {
            "data": {"values": rows},
            "mark": {"type": "line", "point": {"filled": True, "size": 40}, "strokeWidth": 2},
            "encoding": {
                "x": quantity("rate", "arrivals a second (1/s)"),
                "y": quantity("latency", y),
                **series(names),
            },
        },
        *_limit(served.slo, scale.per_base, y),
    ]
    spec: Spec = {"height": 220, "layer": layers}
    note = "Calls arrive at random." + (
        f" The dashed line is the objective, {served.slo}." if served.slo else ""
    )
    return drawn(f"server-{item.name}", f"{item.name}: latency by rate", note, spec)


def _limit(slo: str, per_second: float, title: str) -> list[Spec]:
    if not slo:
        return []
    row: dict[str, Any] = {"latency": parse_slo(slo).limit_s * per_second}
    mark = {"type": "rule", "color": INK, "strokeDash": [5, 4], "strokeWidth": 1.5}
    return [{"data": {"values": [row]}, "mark": mark, "encoding": {"y": quantity("latency", title)}}]
