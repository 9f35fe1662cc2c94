"""A measure over time as a small drawing of a page: no library, for a site has hundreds of them.

Lines and points lie in a square of 100 that the style sheet stretches; numbers stand beside it as text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rkbench.results.measure_types import Measure
from rkbench.results.trend import Trend
from rkbench.units import MARK, format_moment, text_beside

MOST_SERIES, MOST_CHANGES = 8, 6
_MARGIN_X, _MARGIN_Y = 1.0, 6.0


@dataclass(frozen=True)
class DrawnSeries:
    """A series: its name, its line as SVG has it, its points as `x y`, and its last value in words."""

    name: str
    line: str
    points: tuple[tuple[str, str], ...]
    last: str


@dataclass(frozen=True)
class DrawnTrend:
    """The series of most points; what stands at the ends of both axes; what was left out."""

    title: str
    series: tuple[DrawnSeries, ...]
    high: str
    low: str
    first: str
    last: str
    more: int
    changes: tuple[tuple[str, str], ...]


def drawn_trend(trends: Sequence[Trend], measure: Measure, of: str) -> DrawnTrend | None:
    """Return the drawing of the series of most points, of the model or board `of`; None of single runs."""
    shown = [replace(trend, name=_without(trend.name, of)) for trend in trends[:MOST_SERIES]]
    if not any(len(trend.points) > 1 for trend in shown):
        return None
    values = [point.value for trend in shown for point in trend.points]
    times = [point.unix_s for trend in shown for point in trend.points]
    mark = MARK if any(trend.simulated for trend in shown) else ""
    (low, high), (begin, end) = ((min(found), max(found)) for found in (values, times))
    day = _day if _day(begin) != _day(end) else _minute
    return DrawnTrend(
        f"{measure.gate} over time",
        tuple(_series(trend, measure, times, values) for trend in shown),
        mark + text_beside(measure.unit, high, low),
        mark + text_beside(measure.unit, low, high),
        day(begin),
        day(end),
        len(trends) - len(shown),
        _changes(shown),
    )


def _without(name: str, of: str) -> str:
    """Return the name of a series on the page of a model or board, which says that one's name itself."""
    return name.removeprefix(f"{of} on ").replace(f" on {of}", "", 1)


def _changes(shown: Sequence[Trend]) -> tuple[tuple[str, str], ...]:
    """Return when something changed and what, the newest first; and of which series, where there are some."""
    told = [
        (change.unix_s, change.words if len(shown) == 1 else f"{trend.name}: {change.words}")
        for trend in shown
        for change in trend.changes
    ]
    return tuple((_day(unix_s), words) for unix_s, words in sorted(told, reverse=True)[:MOST_CHANGES])


def _series(trend: Trend, measure: Measure, times: Sequence[float], values: Sequence[float]) -> DrawnSeries:
    begin, end, low, high = min(times), max(times), min(values), max(values)
    places = [
        (_place(point.unix_s, begin, end, _MARGIN_X), 100 - _place(point.value, low, high, _MARGIN_Y), point)
        for point in trend.points
    ]
    line = " ".join(f"{x:.2f},{y:.2f}" for x, y, _ in places)
    points = tuple(
        (f"M{x:.2f} {y:.2f}h0", "baseline" if point.is_baseline else "night" if point.of_night else "run")
        for x, y, point in places
    )
    mark = MARK if trend.simulated else ""
    return DrawnSeries(trend.name, line, points, mark + measure.unit.text(trend.points[-1].value))


def _place(value: float, low: float, high: float, margin: float) -> float:
    """Return where a value lies, 0 to 100 with a margin; what is all alike lies in the middle."""
    share = (value - low) / (high - low) if high > low else 0.5
    return margin + share * (100 - 2 * margin)


def _day(unix_s: float) -> str:
    return format_moment(unix_s, "%Y-%m-%d")


def _minute(unix_s: float) -> str:
    return format_moment(unix_s, "%Y-%m-%d %H:%M")
