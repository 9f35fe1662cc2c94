"""A measure over time as a drawing: a line for each series, where versions changed, what was accepted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rkbench.results.measure_types import Measure
from rkbench.results.trend import Trend
from rkbench.units import BYTES, MARK, SECONDS, format_moment, printable
from rkbench.views.report.charts.spec import (
    SOFT,
    Chart,
    Scale,
    Spec,
    bytes_scale,
    drawn,
    quantity,
    seconds_scale,
    series,
)

#: From so many days on no label of the axis falls between two midnights.
_DAYS_ALONE = 14
_MARKS: dict[str, Spec] = {
    "run": {"type": "point", "filled": True, "size": 50, "opacity": 1},
    "night": {"type": "point", "filled": False, "size": 60, "strokeWidth": 2, "opacity": 1},
    "baseline": {"type": "point", "filled": True, "shape": "diamond", "size": 220, "opacity": 1},
}


def trend_charts(trends: Sequence[Trend], measure: Measure) -> list[Chart]:
    """Return the drawing of these series; none without any."""
    if not trends:
        return []
    scale = _scale(trends, measure)
    names = [printable(trend.name) for trend in trends]
    mark = f"{MARK} " if any(trend.simulated for trend in trends) else ""
    unit = f" ({scale.unit})" if scale.unit else ""
    y = quantity("value", f"{mark}{measure.gate}{unit}", scale={"zero": False, "padding": 30})
    note = "A diamond is an accepted baseline, an open circle a night's run; dashed lines mark new versions."
    x = _time_axis(trends)
    spec = {"height": 320, "layer": [*_lines(trends, scale, x, y, names), *_changes(trends, x)]}
    title = f"{measure.gate} over time" + (f": {names[0]}" if len(names) == 1 else "")
    return [drawn("trend", title, note, spec)]


def _time_axis(trends: Sequence[Trend]) -> Spec:
    """Return the axis of time, each of whose labels has its day: Vega's own would have hours alone."""
    times_s = [point.unix_s for trend in trends for point in trend.points]
    days = (max(times_s) - min(times_s)) / 86400
    form = "%Y-%m-%d" if days >= _DAYS_ALONE else "%Y-%m-%d %H:%M"
    axis = {"format": form, "tickCount": 7, "labelSeparation": 10}
    return {
        "field": "at",
        "type": "temporal",
        "title": "started (UTC)",
        "scale": {"type": "utc"},
        "axis": axis,
    }


def _scale(trends: Sequence[Trend], measure: Measure) -> Scale:
    largest = max(point.value for trend in trends for point in trend.points)
    if measure.unit is SECONDS:
        return seconds_scale(largest)
    return bytes_scale(largest) if measure.unit is BYTES else Scale(measure.unit.name.strip("1"), 1.0)


def _lines(trends: Sequence[Trend], scale: Scale, x: Spec, y: Spec, names: Sequence[str]) -> list[Spec]:
    rows = [
        {
            "series": name,
            "at": _moment(point.unix_s),
            "value": scale.of(point.value),
            "kind": "baseline" if point.is_baseline else "night" if point.of_night else "run",
        }
        for name, trend in zip(names, trends, strict=True)
        for point in trend.points
    ]
    data = {"values": rows}
    told = series(names)
    points = {"x": x, "y": y, "color": told["color"]}
    return [
        {"data": data, "mark": {"type": "line", "opacity": 0.5}, "encoding": {"x": x, "y": y, **told}},
        *(
            {
                "data": data,
                "transform": [{"filter": f"datum.kind === '{kind}'"}],
                "mark": mark,
                "encoding": points,
            }
            for kind, mark in _MARKS.items()
        ),
    ]


def _changes(trends: Sequence[Trend], x: Spec) -> list[Spec]:
    """Return lines where something changed; with words where there is one series, which they are of."""
    changes = {(change.unix_s, change.words) for trend in trends for change in trend.changes}
    rows = [{"at": _moment(unix_s), "words": printable(words)} for unix_s, words in sorted(changes)]
    if not rows:
        return []
    rule = {"type": "rule", "strokeDash": [4, 4], "color": SOFT}
    found: list[dict[str, Any]] = [{"data": {"values": rows}, "mark": rule, "encoding": {"x": x}}]
    if len(trends) == 1:
        text = {"type": "text", "angle": 270, "align": "right", "dy": -6, "color": SOFT, "fontSize": 11}
        words = {"x": x, "y": {"value": 4}, "text": {"field": "words", "type": "nominal"}}
        found.append({"data": {"values": rows}, "mark": text, "encoding": words})
    return found


def _moment(unix_s: float) -> str:
    return format_moment(unix_s, "%Y-%m-%dT%H:%M:%SZ")
