"""`bench history`: the stored runs, one line each, as files, or a measure of them over time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rkbench.cli import completion, options
from rkbench.cli.voice import say_written


def history(
    context: typer.Context,
    model: Annotated[
        str | None,
        typer.Option(
            help="A variant's name (`digits.*`), or the start of its SHA-256.",
            autocompletion=completion.variants,
        ),
    ] = None,
    board: Annotated[
        str | None, typer.Option(help="A board's name (`rack-*`) or SoC.", autocompletion=completion.boards)
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Runs of the last 12h, 7d or 4w, or since 2026-11-26.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, max=10**9, help="How many runs (default: 20; in files and plots all)."),
    ] = None,
    json_file: options.JsonFile = None,
    csv_file: Annotated[str | None, typer.Option("--csv", help="Write CSV to FILE, or - .")] = None,
    plot: Annotated[
        str | None,
        typer.Option(help="A measure over time, as p50 or `load memory`.", autocompletion=completion.gates),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The plot as FILE.png, .svg or .pdf.")
    ] = None,
    store: options.Store = None,
) -> None:
    """List stored runs, the newest first."""
    from rkbench.campaign.past import AskedPast, past_runs
    from rkbench.views.history import show_past

    asked = AskedPast(model, board, since, limit, plot, in_file=json_file is not None or csv_file is not None)
    show_past(past_runs(store, asked), json_file=json_file, csv_file=csv_file, picture=output)
    say_written(context, output)
