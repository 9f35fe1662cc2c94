"""`bench show`, `bench history`, `bench export`: what is in the store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rkbench.cli.app import app

_STORE = typer.Option("--store", help="The result store (default: $RKBENCH_STORE, else your data folder).")


@app.command()
def show(
    run: Annotated[str, typer.Argument(help="A run, a push (the start of an id is enough), or `last`.")],
    json_file: Annotated[str | None, typer.Option("--json", help="Write JSON to FILE, or - .")] = None,
    baseline: Annotated[str | None, typer.Option(help="The variant to compare with.")] = None,
    store: Annotated[Path | None, _STORE] = None,
) -> None:
    """Show stored runs: all variants of a push side by side."""
    from rkbench.campaign.stored import load_collected
    from rkbench.views.push.show import show_push

    collected, comparison = load_collected(store, run, baseline)
    show_push([item.run for item in collected], comparison, json_file=json_file)


@app.command()
def history(
    model: Annotated[str | None, typer.Option(help="A variant's name or the start of its SHA-256.")] = None,
    board: Annotated[str | None, typer.Option(help="A board's name or SoC.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many runs.")] = 20,
    store: Annotated[Path | None, _STORE] = None,
) -> None:
    """List stored runs, the newest first."""
    from rkbench.store.sqlite import Store, default_path
    from rkbench.views.history import show_history

    with Store(store or default_path()) as opened:
        show_history(opened.history(model=model, board=board, limit=limit))


@app.command()
def export(
    runs: Annotated[list[str] | None, typer.Argument(help="Runs or pushes; all where none is named.")] = None,
    csv_file: Annotated[str, typer.Option("--csv", help="Write CSV to FILE, or - .")] = "-",
    raw: Annotated[bool, typer.Option("--raw", help="Every latency, one line an iteration.")] = False,
    store: Annotated[Path | None, _STORE] = None,
) -> None:
    """Write stored runs, or their raw latencies, as CSV."""
    from rkbench.cli.exporting import export_csv

    export_csv(store, runs or [], csv_file, raw=raw)
