"""What a notebook shows of a push, of stored runs and of an inspection: small tables, all text escaped."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rkbench.inspection.document import Inspection
from rkbench.inspection.formatting import percent
from rkbench.inspection.shown import shown_causes
from rkbench.results.collect import Collected
from rkbench.results.comparison import Comparison
from rkbench.results.history import HistoryRow
from rkbench.results.ids import short_ids
from rkbench.results.measure_types import Measure
from rkbench.results.measures import GATED, LATENCY_P50, NPU_MEMORY
from rkbench.units import MARK, UNKNOWN, format_bytes
from rkbench.views.page import page_environment
from rkbench.views.push.table import TableCell
from rkbench.views.report.content import content_of

#: A table in a notebook is looked at, not searched: the rest is in the DataFrame.
MOST_ROWS = 20
_SHOWN = (LATENCY_P50, GATED["p99"], NPU_MEMORY, GATED["cosine"])


def push_html(collected: Sequence[Collected], comparison: Comparison) -> str:
    """Return the verdict, the table and the doubts of a push."""
    content = content_of(collected, comparison)
    rows = [(row.label, *map(_cell, row.cells)) for row in content.rows]
    caveats = [f"{number}: {caveat.message} → {caveat.advice}" for number, caveat in content.caveats]
    notes = [*content.requirements, *content.notes, *caveats, *([content.legend] if content.legend else [])]
    return _table(content.title, ["", *(item.name for item in content.runs)], rows, notes)


def _cell(cell: TableCell) -> str:
    return f"{cell.value} ({cell.difference})" if cell.difference else cell.value


def runs_html(runs: Sequence[HistoryRow]) -> str:
    """Return a table of runs, of which `MOST_ROWS` are shown."""
    heads = ["run", "started (UTC)", "variant", "board", *(measure.label for measure in _SHOWN), "verdict"]
    short = short_ids(row.run for row in runs)
    rows = [
        (
            short[row.run],
            row.started_at[:16].replace("T", " "),
            row.variant,
            row.board,
            *(_figure(row, measure) for measure in _SHOWN),
            row.verdict or UNKNOWN,
        )
        for row in runs[:MOST_ROWS]
    ]
    more = len(runs) - len(rows)
    notes = [f"{more:,} more runs: .to_pandas() or .to_polars() has them all"] if more else []
    marked = any(row.simulated for row in runs[:MOST_ROWS])
    return _table(
        "" if runs else "no runs", heads, rows, [*notes, *([f"{MARK} simulated"] if marked else [])]
    )


def _figure(row: HistoryRow, measure: Measure) -> str:
    value = row.measures[measure.name]
    return UNKNOWN if value is None else f"{MARK if row.simulated else ''}{measure.unit.text(value)}"


def inspection_html(inspection: Inspection) -> str:
    """Return the answer and the causes of an inspection, with what to type."""
    causes = shown_causes(inspection)
    rows = [
        (cause.title, format_bytes(cause.bytes), percent(cause.share), f"{len(cause.layers):,}")
        for cause in causes.told
    ]
    fixes = [
        f"→ {fix.action}: {fix.snippet}" if fix.snippet else f"→ {fix.action}"
        for cause in causes.told[:1]
        for fix in cause.fix
    ]
    notes = [causes.rest, *fixes] if causes.rest else fixes
    return _table(inspection.sentence, ["cause", "bytes", "of the file", "layers"], rows, notes)


def _table(sentence: str, heads: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str]) -> str:
    template = page_environment(Path(__file__).parent).get_template("notebook.html.j2")
    return template.render(sentence=sentence, heads=heads, rows=rows, notes=notes)
