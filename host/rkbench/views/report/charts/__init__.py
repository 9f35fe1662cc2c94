"""The drawings of a report, each one specification for page, PNG, SVG and PDF."""

from __future__ import annotations

from collections.abc import Sequence

from rkbench.views.report.charts.latency import latency_charts
from rkbench.views.report.charts.memory import memory_charts
from rkbench.views.report.charts.outputs import output_charts
from rkbench.views.report.charts.scenarios import scenario_charts
from rkbench.views.report.charts.spec import Chart
from rkbench.views.report.charts.timeline import timeline_charts
from rkbench.views.report.charts.tradeoff import tradeoff_charts
from rkbench.views.report.names import Named

_KINDS = (
    tradeoff_charts,
    latency_charts,
    timeline_charts,
    scenario_charts,
    memory_charts,
    output_charts,
)


def charts_of(runs: Sequence[Named]) -> list[Chart]:
    """Return all that can be drawn of these runs, in the order of a page."""
    return [chart for draw in _KINDS for chart in draw(runs)]
