"""`bench report`: stored runs as a page, Markdown, a picture or a trace."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rkbench.cli import completion, options


def report(
    runs: Annotated[
        list[str],
        typer.Argument(
            help="Runs, pushes, nights (the end or start of an id), tags, days, or `last`.",
            autocompletion=completion.stored,
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="FILE.html, .md, .png, .svg or .pdf.")
    ] = None,
    trace: Annotated[
        Path | None, typer.Option(help="Every call as a trace for ui.perfetto.dev: FILE.json.")
    ] = None,
    baseline: options.Baseline = None,
    store: options.Store = None,
) -> None:
    """Write stored runs as a page, Markdown, a picture or a trace."""
    from rkbench.campaign.stored import load_several
    from rkbench.views.report.files import check_report, write_report

    check_report(output, trace)
    collected, comparison = load_several(store, runs, baseline)
    write_report(collected, comparison, output, trace)
