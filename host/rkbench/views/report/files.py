"""Which kind of report a file name asks for, and how each is written: whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from rkbench.errors import UsageError
from rkbench.results.collect import Collected
from rkbench.results.comparison import Comparison
from rkbench.results.night import Night
from rkbench.views.output import all_of, check_output, check_outputs, typed, write_bytes, write_text

PAGE, MARKDOWN = ".html", ".md"
PICTURES = (".png", ".svg", ".pdf")


def check_report(output: Path | None, trace: Path | None) -> None:
    """Raise UsageError now where no file is named, one of no known kind, or one that cannot be written."""
    if output is None and trace is None:
        raise UsageError("no file to write", hint="name one: -o report.html")
    check_outputs({"-o": typed(output), "--trace": typed(trace)})
    if output is not None and output.suffix.lower() not in (PAGE, MARKDOWN, *PICTURES):
        kinds = ", ".join((PAGE, MARKDOWN, *PICTURES))
        raise UsageError(f"{output}: no kind of report", hint=f"its name says which: one of {kinds}")


def check_page(output: Path | None) -> None:
    """Raise UsageError now for what `push --html` names and is no page, or cannot be written."""
    if output is None:
        return
    if output.suffix.lower() != PAGE:
        raise UsageError(f"--html {output}: no page", hint="name it FILE.html; other kinds: bench report")
    check_output(str(output))


def write_report(
    collected: Sequence[Collected],
    comparison: Comparison,
    output: Path | None,
    trace: Path | None = None,
    nights: Sequence[Night] = (),
) -> None:
    """Write the report, and the trace, of these runs; one that fails does not take the other.

    Page and Markdown show the gates of `nights`.

    Raises UsageError for a picture where vl-convert is missing, or where there is nothing to draw.
    """
    steps: list[Callable[[], None]] = []
    if output is not None:
        steps.append(lambda: _write(collected, comparison, output, nights))
    if trace is not None:
        steps.append(lambda: _write_trace(collected, trace))
    all_of(*steps)


def _write(
    collected: Sequence[Collected], comparison: Comparison, output: Path, nights: Sequence[Night]
) -> None:
    kind = output.suffix.lower()
    if kind == PAGE:
        from rkbench.views.report.page import render_page

        write_text(str(output), render_page(collected, comparison, nights))
    elif kind == MARKDOWN:
        from rkbench.views.report.markdown import render_report_markdown

        write_text(str(output), render_report_markdown(collected, comparison, nights))
    else:
        write_bytes(str(output), _picture(collected, comparison, kind))


def _picture(collected: Sequence[Collected], comparison: Comparison, kind: str) -> bytes:
    from rkbench.views.report.charts import charts_of
    from rkbench.views.report.content import content_of
    from rkbench.views.report.pictures import render_picture

    charts = charts_of(content_of(collected, comparison).runs)
    if not charts:
        raise UsageError("nothing to draw: no run has latencies", hint="its words and figures: -o report.md")
    return render_picture(charts, kind.lstrip("."))


def _write_trace(collected: Sequence[Collected], trace: Path) -> None:
    from rkbench.views.report.trace import render_trace

    write_text(str(trace), render_trace(collected))
