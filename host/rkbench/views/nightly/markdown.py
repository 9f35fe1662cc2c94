"""A night as Markdown: for a merge request, a chat, a mail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rkbench.results.night import CellResult, GateResult, Night
from rkbench.stats.gates import CANNOT_TELL, FAIL, NOT_MEASURED, PASS
from rkbench.units import format_moment
from rkbench.views.markdown import escaped
from rkbench.views.nightly.figures import FIGURES, figures_of
from rkbench.views.nightly.sentences import (
    by_history,
    doubted,
    environment_changes,
    epoch_lines,
    faults,
    gate_line,
    gates_in,
    has_too_few,
    headline,
    pooled_in,
    pooled_line,
    retries,
    scatter_lines,
    too_few_nights,
)

WORDS = {PASS: "pass", FAIL: "**FAIL**", CANNOT_TELL: "can't tell", NOT_MEASURED: "**not measured**"}


def render_markdown(night: Night) -> str:
    """Return the summary of `night`."""
    parts = [f"## {escaped(headline(night))}", f"{night.id}, began {utc(night.started_unix_s)}"]
    for title, lines in night_sections(night):
        parts += [f"### {title}", "\n".join(f"- {escaped(line)}" for line in lines)]
    parts.append(_table(night))
    return "\n\n".join(parts) + "\n"


def night_sections(night: Night) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield what there is to say of `night`: a title, and lines."""
    for title, lines in _sections(night):
        if lines:
            yield title, lines


def _sections(night: Night) -> Iterator[tuple[str, Sequence[str]]]:
    crossed = [gate_line(*pair) for pair in gates_in(night, FAIL)]
    yield "Gates crossed", [*crossed, *map(pooled_line, pooled_in(night, FAIL))]
    yield "Failed", faults(night)
    yield "Begun anew once", retries(night)
    broken = {cell.key for cell in night.cells if cell.fault}
    unmeasured = [pair for pair in gates_in(night, NOT_MEASURED) if pair[0].key not in broken]
    yield "Not measured", [gate_line(*pair) for pair in unmeasured]
    undecided = [gate_line(*pair) for pair in gates_in(night, CANNOT_TELL) if not has_too_few(pair[1])]
    yield "Undecided", [*undecided, *too_few_nights(night)]
    yield "Crossed once, not when measured again", [gate_line(*pair) for pair in _passed_second(night)]
    yield "Doubted", doubted(night)
    yield "Judged by history", by_history(night)
    yield "New epochs", epoch_lines(night)
    yield "How far nights lie apart", scatter_lines(night)
    changed = [f"{board}: {words}" for board, words in environment_changes(night)]
    yield "Environment changed since the baseline", changed


def utc(unix_s: float) -> str:
    """Return a time as `2026-01-31 02:00:00 UTC`."""
    return format_moment(unix_s)


def _passed_second(night: Night) -> list[tuple[CellResult, GateResult]]:
    return [pair for pair in gates_in(night, PASS) if len(pair[1].measurements) > 1]


def _table(night: Night) -> str:
    plans = len({cell.plan for cell in night.cells}) > 1
    rows = [
        "| model | board |" + (" plan |" if plans else "") + f" gates | {' | '.join(FIGURES)} |",
        "|---|---|" + ("---|" if plans else "") + "---|" + "---:|" * len(FIGURES),
    ]
    for cell in night.cells:
        plan = f" {escaped(cell.plan)} |" if plans else ""
        rows.append(
            f"| {escaped(cell.variant)} | {escaped(cell.board)} |{plan} {_gates(cell)} |"
            f" {' | '.join(figures_of(cell))} |"
        )
    return "\n".join(rows)


def _gates(cell: CellResult) -> str:
    kept = sum(gate.state == PASS for gate in cell.gates)
    return f"{WORDS[cell.state]} ({kept} of {len(cell.gates)} kept)"
