"""A report as Markdown, for a merge request: the sentence and what moved first, all figures folded below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rkbench.language.choice import spoken
from rkbench.results.collect import Collected
from rkbench.results.comparison import Comparison
from rkbench.results.night import Night
from rkbench.views.across import AcrossText
from rkbench.views.markdown import escaped, table
from rkbench.views.nightly.markdown import render_markdown
from rkbench.views.push.table import TableCell, TableRow, Tone
from rkbench.views.report.content import ReportContent, content_of

#: What stands above the fold, where a run has it.
_ABOVE = ("file size", "latency p50", "latency p99", "NPU memory", "lowest cosine", "verdict")


def render_report_markdown(
    collected: Sequence[Collected], comparison: Comparison, nights: Sequence[Night] = ()
) -> str:
    """Return the report of these runs, below that of the nights."""
    content = content_of(collected, comparison, spoken())
    parts = [render_markdown(night).rstrip("\n") for night in nights]
    parts += [f"### {escaped(content.title)}", _summary(content)]
    if content.requirements:
        parts.append("\n".join(f"- {escaped(line)}" for line in content.requirements))
    parts += [f"> {escaped(content.legend)}"] if content.legend else []
    parts += [_folded("All figures", _figures(content))]
    parts += [_folded(told.title, _across(told)) for told in content.across]
    doubts = list(_doubts(content))
    if doubts:
        parts.append(_folded(f"What to doubt ({len(doubts)})", "\n".join(doubts)))
    parts.append(_folded("What was measured", _identities(content)))
    return "\n\n".join(parts) + "\n"


def _summary(content: ReportContent) -> str:
    """Return a line for each run, those that moved first, with the figures that people ask for."""
    rows = [row for row in content.rows if row.label in _ABOVE]
    order = sorted(range(len(content.runs)), key=lambda place: _stillness(place, content))
    head = ["", *(row.label for row in rows)]
    lines = [[_name(place, content), *(_cell(row.cells[place]) for row in rows)] for place in order]
    return table(head, lines)


def _stillness(place: int, content: ReportContent) -> int:
    """Return 0 for the baseline, 1 for a run with a figure that is better or worse, 2 for the others."""
    if content.runs[place].collected.run.id == content.baseline:
        return 0
    tones = {row.cells[place].tone for row in content.rows if not row.is_conclusion}
    return 1 if tones & {Tone.GOOD, Tone.BAD} else 2


def _name(place: int, content: ReportContent) -> str:
    run = content.runs[place]
    is_baseline = run.collected.run.id == content.baseline
    return escaped(run.name) + (" (baseline)" if is_baseline else "")


def _cell(cell: TableCell) -> str:
    value, difference = escaped(cell.value), escaped(cell.difference)
    sign = {Tone.GOOD: " ✓", Tone.BAD: " ✗"}.get(cell.tone, "")
    return f"{value} ({difference}){sign}" if difference else value


def _figures(content: ReportContent) -> str:
    head = ["", *(_name(place, content) for place in range(len(content.runs)))]
    return table(head, [[row.label, *map(_cell, row.cells)] for row in _filled(content.rows)])


def _filled(rows: Sequence[TableRow]) -> Iterator[TableRow]:
    return (row for row in rows if any(cell.value for cell in row.cells))


def _across(told: AcrossText) -> str:
    rows = [[escaped(cell.value) for cell in row] for row in told.rows]
    lines = (told.verdict, told.spread, *told.conditions)
    return "\n\n".join([table(told.titles, rows), *map(escaped, lines)])


def _doubts(content: ReportContent) -> Iterator[str]:
    for number, caveat in content.caveats:
        advice = f" → {escaped(caveat.advice)}" if caveat.advice else ""
        yield f"{number}. {escaped(caveat.message)}{advice}"
    yield from (f"- {escaped(note)}" for note in content.notes)


def _identities(content: ReportContent) -> str:
    facts = "\n".join(f"- {escaped(fact)}" for fact in content.facts)
    keys = [key for key, _ in content.identities[0]] if content.identities else []
    lines = [
        [_name(place, content), *(escaped(dict(found).get(key, "")) for key in keys)]
        for place, found in enumerate(content.identities)
    ]
    return f"{facts}\n\n{table(['', *keys], lines)}"


def _folded(title: str, text: str) -> str:
    return f"<details><summary>{escaped(title)}</summary>\n\n{text}\n\n</details>"
