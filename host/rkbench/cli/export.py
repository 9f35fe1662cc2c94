"""`bench export`: stored runs, or their raw latencies, as CSV."""

from __future__ import annotations

from typing import Annotated

import typer

from rkbench.cli import completion, options


def export(
    runs: Annotated[
        list[str] | None,
        typer.Argument(help="Runs or pushes; all where none is named.", autocompletion=completion.runs),
    ] = None,
    csv_file: Annotated[str, typer.Option("--csv", help="Write CSV to FILE, or - .")] = "-",
    raw: Annotated[bool, typer.Option("--raw", help="Every latency, one line an iteration.")] = False,
    store: options.Store = None,
) -> None:
    """Write stored runs, or their raw latencies, as CSV."""
    from rkbench.store import open_store
    from rkbench.store.lookup import named_runs
    from rkbench.views.output import open_output
    from rkbench.views.push.csv import write_latencies, write_runs

    with open_store(store) as opened:
        found = named_runs(opened, runs or ())
        with open_output(csv_file) as out:
            if raw:
                write_latencies(((run, opened.latencies(run.id)) for run in found), out)
            else:
                write_runs(found, out)
