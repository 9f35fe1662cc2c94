"""A report as one self-contained page: no network, no font, no library of scripts; all text is escaped.

Drawings are SVG whose colours are those of the page, in two widths, of which the style sheet shows one: a
script is needed only to save the data that the page carries.
"""

from __future__ import annotations

import base64
import gzip
import io
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from rkbench.language.choice import spoken
from rkbench.results.collect import Collected
from rkbench.results.comparison import Comparison
from rkbench.results.night import Night
from rkbench.units import printable_lines
from rkbench.views.page import embedded, page_environment, style_of
from rkbench.views.push.csv import write_latencies
from rkbench.views.push.json import push_document
from rkbench.views.report.charts import charts_of
from rkbench.views.report.charts.spec import DARK, LIGHT, Chart
from rkbench.views.report.content import content_of
from rkbench.views.report.names import Named
from rkbench.views.report.nights import gates_of
from rkbench.views.report.pictures import HINT, has_pictures, inline_svg

PARTS = Path(__file__).parent / "page"
#: More gates that were kept than these are folded: nobody looks for them first.
FEW_KEPT = 8
_SERIES = ("s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8")


def render_page(collected: Sequence[Collected], comparison: Comparison, nights: Sequence[Night] = ()) -> str:
    """Return the page of these runs, and of the gates of nights; without vl-convert it says what its
    drawings need."""
    from markupsafe import Markup, escape

    content = content_of(collected, comparison, spoken())
    charts = charts_of(content.runs)
    draw = partial(_drawn, escape=lambda text: str(escape(printable_lines(text))))
    return (
        page_environment(PARTS)
        .get_template("report.html.j2")
        .render(
            content=content,
            nights=gates_of(nights),
            few=FEW_KEPT,
            charts=charts,
            drawn={chart.key: Markup(draw(chart)) for chart in charts} if has_pictures() else {},
            hint=HINT,
            style=Markup(report_style()),
            script=Markup((PARTS / "report.js").read_text(encoding="utf-8")),
            document=Markup(embedded(push_document([item.run for item in collected], comparison))),
            latencies=_packed_latencies(content.runs),
        )
    )


def _drawn(chart: Chart, escape: Callable[[str], str]) -> str:
    label = escape(f"{chart.title}. {chart.note}")
    wide = inline_svg(chart.wide, f"{chart.key}-wide", label)
    narrow = inline_svg(chart.narrow, f"{chart.key}-narrow", label)
    return f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div>'


def report_style() -> str:
    """Return the style of a report: the colours of its series, of all pages, its own."""
    light, dark = ("".join(f"--{name}: {palette[name]}; " for name in _SERIES) for palette in (LIGHT, DARK))
    series = f":root {{ {light}}}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark}}} }}\n"
    return series + style_of(PARTS / "report.css")


def _packed_latencies(runs: Sequence[Named]) -> str:
    """Return every iteration of the runs as CSV, in gzip and base64; "" where none was kept."""
    members = [item.collected for item in runs]
    if not any(len(item.latencies.duration_ns) for item in members):
        return ""
    text = io.StringIO(newline="")
    write_latencies(((item.run, item.latencies) for item in members), text)
    return base64.b64encode(gzip.compress(text.getvalue().encode(), mtime=0)).decode()
