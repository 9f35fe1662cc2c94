"""`bench export`: stored runs, or their raw latencies, as CSV."""

from __future__ import annotations

from typing import Annotated

import typer

from rkbench.cli import completion, options
from rkbench.errors import StoreError
from rkbench.units import printable


def export(
    runs: Annotated[
        list[str] | None,
        typer.Argument(help="Runs or pushes; all where none is named.", autocompletion=completion.runs),
    ] = None,
    csv_file: Annotated[str, typer.Option("--csv", help="Write CSV to FILE, or - .")] = "-",
    raw: Annotated[bool, typer.Option("--raw", help="Every latency, one line an iteration.")] = False,
    store: options.Store = None,
) -> int:
    """Write stored runs, or their raw latencies, as CSV.

    Exit 1 where a stored run is damaged; the others are written.
    """
    from rkbench.store import open_store
    from rkbench.store.lookup import named_runs, raw_latencies
    from rkbench.views.output import open_output
    from rkbench.views.push.csv import write_latencies, write_runs

    with open_store(store) as opened:
        damaged: list[StoreError] = []
        found = named_runs(opened, runs or (), damaged)
        with open_output(csv_file) as out:
            if raw:
                write_latencies(raw_latencies(opened, found, None if runs else damaged), out)
            else:
                write_runs(found, out)
    for error in damaged:
        typer.echo(f"bench: left out: {printable(error.message)}", err=True)
    return 1 if damaged else 0
