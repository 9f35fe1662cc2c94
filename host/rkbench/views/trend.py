"""A measure over time in a terminal: a plot of characters for each series, with what changed below."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TextIO

from rkbench.results.measure_types import Measure
from rkbench.results.trend import Trend, TrendPoint
from rkbench.units import MARK, format_moment, text_beside
from rkbench.views.terminal import make_console

HEIGHT = 10
MOST_SERIES, MOST_CHANGES = 6, 9
POINT, NIGHT, BASELINE = "•", "○", "◆"
_CHANGE = "┊"


def show_trends(trends: Sequence[Trend], measure: Measure, out: TextIO | None = None) -> None:
    """Print a plot for each of the series with most points."""
    from rich.text import Text

    console = make_console(out or sys.stdout)
    if not trends:
        console.print(Text(f"no stored run has {measure.gate}"))
        return
    for number, trend in enumerate(trends[:MOST_SERIES]):
        if number:
            console.print()
        for line, style in plot_lines(trend, measure, console.width):
            console.print(Text(line, style=style), soft_wrap=True)
    if len(trends) > MOST_SERIES:
        rest = len(trends) - MOST_SERIES
        console.print(
            Text(f"\n{rest} more series: --model and --board choose, -o FILE.svg draws all", "yellow")
        )


def plot_lines(trend: Trend, measure: Measure, width: int) -> list[tuple[str, str]]:
    """Return the lines of a plot with their styles, none wider than `width`."""
    values = [point.value for point in trend.points]
    low, high = min(values), max(values)
    mark = MARK if trend.simulated else ""
    heights = {row: high - (high - low) * row / (HEIGHT - 1) for row in (0, HEIGHT // 2, HEIGHT - 1)}
    labels = {row: mark + text_beside(measure.unit, value, low) for row, value in heights.items()}
    labels[HEIGHT - 1] = mark + text_beside(measure.unit, low, high)
    told = labels if high > low else {HEIGHT // 2: labels[0]}  # equal ones lie in the middle
    shown = [told.get(row, "") for row in range(HEIGHT)]
    margin = max(map(len, shown))
    columns = max(20, width - margin - 3)
    grid = _grid(trend, low, high, columns)
    last = mark + measure.unit.text(values[-1])
    lines = [
        (
            f"{trend.name}: {measure.gate}, {len(values)} run{'s' * (len(values) > 1)}, the last {last}"[
                : max(20, width)
            ],
            "bold",
        )
    ]
    lines += [(f"{label.rjust(margin)} │{''.join(row)}", "") for label, row in zip(shown, grid, strict=True)]
    begin, end = (_day(trend.points[place].unix_s) for place in (0, -1))
    lines.append((f"{' ' * margin} └{'─' * columns}", "dim"))
    lines.append((f"{' ' * margin}  {begin}{end.rjust(columns - len(begin))}", "dim"))
    return [*lines, *_legend(trend)]


def _grid(trend: Trend, low: float, high: float, columns: int) -> list[list[str]]:
    """Return the plane: changes as vertical lines, points over them, baselines over all."""
    begin, end = trend.points[0].unix_s, trend.points[-1].unix_s
    grid = [[" "] * columns for _ in range(HEIGHT)]
    for change in trend.changes:
        for row in grid:
            row[_place(change.unix_s, begin, end, columns)] = _CHANGE
    for point in sorted(trend.points, key=lambda point: (point.is_baseline, point.unix_s)):
        line = HEIGHT - 1 - _place(point.value, low, high, HEIGHT)
        grid[line][_place(point.unix_s, begin, end, columns)] = _sign(point)
    return grid


def _place(value: float, low: float, high: float, count: int) -> int:
    """Return which of `count` places a value between low and high has."""
    return (count - 1) // 2 if high == low else round((value - low) / (high - low) * (count - 1))


def _sign(point: TrendPoint) -> str:
    return BASELINE if point.is_baseline else NIGHT if point.of_night else POINT


def _legend(trend: Trend) -> list[tuple[str, str]]:
    """Return what the signs mean that are there, and what changed."""
    signs = {_sign(point) for point in trend.points}
    words = {NIGHT: "measured by a night", BASELINE: "an accepted baseline"}
    told = [f"{sign} {text}" for sign, text in words.items() if sign in signs]
    lines = [("  ".join(told), "dim")] if told else []
    lines += [
        (f"{_CHANGE} {_day(change.unix_s)}  {change.words}", "dim")
        for change in trend.changes[-MOST_CHANGES:]
    ]
    hidden = len(trend.changes) - MOST_CHANGES
    return [*lines, (f"{hidden} changes before these", "dim")] if hidden > 0 else lines


def _day(unix_s: float) -> str:
    return format_moment(unix_s, "%Y-%m-%d %H:%M")
