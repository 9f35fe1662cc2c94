"""What all charts of a report share: a Vega-Lite specification, its colours, axes and units.

Colours are names of CSS variables, so that one drawing serves a light page and a dark one; a picture has
them replaced by a palette's (`coloured`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Spec = dict[str, Any]
#: Vega-Lite's version that the specifications are written for.
VEGA_LITE = "5.20"
WIDE, NARROW = 1010, 300
#: What a narrow drawing has with its axis.
_NARROW_WHOLE = 352
INK, SOFT, LINE = "var(--ink)", "var(--soft)", "var(--line)"
_SERIES = 8
_DASHES = ([1, 0], [6, 3], [2, 3])
_SHAPES = ("circle", "square", "triangle-up")

#: Series in an order that those who see two colours tell apart too, 3:1 or more on the ground (WCAG 1.4.11).
LIGHT: Mapping[str, str] = {
    "ground": "#fbfaf8", "card": "#ffffff", "ink": "#1c1f23", "soft": "#5f6772", "line": "#dfdcd6",
    "s1": "#2b63a8", "s2": "#b3431f", "s3": "#2f7d4f", "s4": "#7b4fa6",
    "s5": "#96630f", "s6": "#0f7f8c", "s7": "#b0357a", "s8": "#5f6772",
}  # fmt: skip
DARK: Mapping[str, str] = {
    "ground": "#15171a", "card": "#1d2024", "ink": "#e8e6e3", "soft": "#a2a8b0", "line": "#33373d",
    "s1": "#6ba3e8", "s2": "#ef8354", "s3": "#67c08b", "s4": "#b695e0",
    "s5": "#d9a441", "s6": "#4fc3d0", "s7": "#ee86bd", "s8": "#a2a8b0",
}  # fmt: skip


#: An axis of counts.
WHOLE_NUMBERS: Spec = {"tickMinStep": 1, "format": "d"}


@dataclass(frozen=True)
class Chart:
    """A drawing: what it shows, how to read it in a sentence or two, and its specification by width."""

    key: str
    title: str
    note: str
    wide: Spec
    narrow: Spec


@dataclass(frozen=True)
class Scale:
    """A unit that a whole axis is written in: so many of it are one of the base unit."""

    unit: str
    per_base: float

    def of(self, value: float) -> float:
        """Return a value of the base unit in this one."""
        return value * self.per_base


def seconds_scale(largest_s: float) -> Scale:
    """Return the unit in which durations up to `largest_s` are read most easily."""
    for limit, scale in ((1e-3, Scale("µs", 1e6)), (1.0, Scale("ms", 1e3))):
        if largest_s < limit:
            return scale
    return Scale("s", 1.0)


def bytes_scale(largest_bytes: float) -> Scale:
    """Return the unit in which sizes up to `largest_bytes` are read most easily."""
    return Scale("kB", 1e-3) if largest_bytes < 1e6 else Scale("MB", 1e-6)


def series_colours(names: Sequence[str], every: Sequence[str] = ()) -> Spec:
    """Return the scale of colours of these series, which keep those that they have among `every`."""
    return _scale(names, every, [f"var(--s{1 + place})" for place in range(_SERIES)], 1)


def series_dashes(names: Sequence[str], every: Sequence[str] = ()) -> Spec:
    """Return the scale of dashes, which tells series apart whose colours come again."""
    return _scale(names, every, _DASHES, _SERIES)


def series_shapes(names: Sequence[str], every: Sequence[str] = ()) -> Spec:
    """Return the scale of shapes of points, which tells series apart whose colours come again."""
    return _scale(names, every, _SHAPES, _SERIES)


def _scale(names: Sequence[str], every: Sequence[str], signs: Sequence[object], times: int) -> Spec:
    """Return a scale of signs in turn, each for so many neighbours of `every` (else of `names`)."""
    places = {name: place for place, name in enumerate(every or names)}
    return {
        "domain": list(names),
        "range": [signs[places[name] // times % len(signs)] for name in names],
    }


def quantity(field: str, title: str | None, **more: Any) -> Spec:
    """Return the encoding of a number on an axis with its title and unit."""
    return {"field": field, "type": "quantitative", "title": title, **more}


def series(names: Sequence[str], every: Sequence[str] = ()) -> Spec:
    """Return the encodings that tell series apart; without a legend where there is only one.

    `every` are all series of a report, where a drawing has some of them: each has one colour in all drawings.
    """
    colours, dashes = series_colours(names, every), series_dashes(names, every)
    return _apart(names, {"symbolType": "stroke"}, color=colours, strokeDash=dashes)


def points(names: Sequence[str], every: Sequence[str] = ()) -> Spec:
    """Return the encodings that tell series of points apart, with a legend of their signs."""
    colours, shapes = series_colours(names, every), series_shapes(names, every)
    return _apart(names, {"symbolOpacity": 1}, color=colours, shape=shapes)


def _apart(names: Sequence[str], legend: Spec, **scales: Spec) -> Spec:
    shown = {"title": None, "orient": "top", "labelLimit": 0, **legend} if len(names) > 1 else None
    return {
        channel: {"field": "series", "type": "nominal", "scale": scale, "legend": shown}
        for channel, scale in scales.items()
    }


def drawn(key: str, title: str, note: str, spec: Spec, *, long_names: bool = False) -> Chart:
    """Return a drawing of a specification that has no width yet.

    One with `long_names` on its left has, where it is narrow, room for them within its width: else it would
    be shrunk, names and all.
    """
    fitted = {"autosize": {"type": "fit-x", "contains": "padding"}} if long_names else {}
    narrow = {**_whole(spec, _NARROW_WHOLE if long_names else NARROW), **fitted}
    return Chart(key, title, note, _whole(spec, WIDE), narrow)


def _whole(spec: Spec, width: int) -> Spec:
    """Return a specification that stands alone: `width` in pixels, the style of all."""
    return {
        "$schema": f"https://vega.github.io/schema/vega-lite/v{VEGA_LITE.split('.', maxsplit=1)[0]}.json",
        "padding": 4,
        "config": _config(width),
        **_sized(spec, width),
    }


def _sized(spec: Spec, width: int) -> Spec:
    if "vconcat" in spec:
        return {**spec, "vconcat": [_sized(part, width) for part in spec["vconcat"]]}
    return {**spec, "width": width}


def _config(width: int) -> Spec:
    font = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
    legend_columns = 4 if width >= WIDE else 1
    return {
        "aria": False,  # a drawing is read aloud as a whole, by its title and note
        "background": None,
        "font": font,
        "view": {"stroke": None},
        "axis": {
            "labelColor": SOFT, "titleColor": INK, "gridColor": LINE, "domainColor": LINE, "tickColor": LINE,
            "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": 500, "labelLimit": 220,
        },
        "axisY": {"minExtent": 36},  # titles of panels stand below each other
        "legend": {
            "labelColor": INK, "titleColor": INK, "labelFontSize": 12, "columns": legend_columns,
            "symbolStrokeWidth": 3,
        },
        "title": {"color": INK, "fontSize": 13, "anchor": "start", "fontWeight": 600},
        "text": {"color": INK, "fontSize": 12},
        "header": {"labelColor": INK, "titleColor": INK, "labelFontSize": 12, "labelFontWeight": 600},
    }  # fmt: skip


def coloured(spec: Any, palette: Mapping[str, str]) -> Any:
    """Return a specification with the colours of a palette for the names of CSS variables."""
    if isinstance(spec, dict):
        return {key: coloured(value, palette) for key, value in spec.items()}
    if isinstance(spec, list):
        return [coloured(value, palette) for value in spec]
    if isinstance(spec, str) and spec.startswith("var(--"):
        return palette[spec[len("var(--") : -1]]
    return spec


def together(charts: Sequence[Chart]) -> Spec:
    """Return all drawings one below the other, each with its title and note: one picture."""
    parts = []
    for chart in charts:
        part = {
            key: value for key, value in chart.wide.items() if key not in ("$schema", "config", "padding")
        }
        title = {"text": chart.title, "subtitle": chart.note, "subtitleColor": SOFT, "offset": 12}
        parts.append({**part, "title": title})
    first = charts[0].wide
    resolve = {"scale": dict.fromkeys(("x", "y", "color", "strokeDash", "shape"), "independent")}
    return {
        **{key: first[key] for key in ("$schema", "config")},
        "padding": 24, "vconcat": parts, "spacing": 44, "resolve": resolve,
    }  # fmt: skip
