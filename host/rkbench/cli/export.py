"""`bench export`: stored runs, or their raw latencies, as CSV or Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rkbench.cli import completion, options
from rkbench.errors import StoreError, UsageError
from rkbench.units import printable


def export(
    runs: Annotated[
        list[str] | None,
        typer.Argument(help="Runs or pushes; all where none is named.", autocompletion=completion.runs),
    ] = None,
    csv_file: Annotated[str, typer.Option("--csv", help="Write CSV to FILE, or - .")] = "-",
    raw: Annotated[bool, typer.Option("--raw", help="Every latency, one line an iteration.")] = False,
    parquet: Annotated[
        Path | None, typer.Option("--parquet", help="Write all runs as Parquet into a new FOLDER.")
    ] = None,
    store: options.Store = None,
) -> int:
    """Write stored runs, or their raw latencies, as CSV or Parquet.

    Exit 1 where a stored run is damaged; the others are written.
    """
    from rkbench.store import read_store
    from rkbench.store.lookup import named_runs, raw_latencies
    from rkbench.views.output import open_output
    from rkbench.views.push.csv import write_latencies, write_runs

    damaged: list[StoreError] = []
    if parquet is not None:
        _write_parquet(store, parquet, runs, damaged, raw=raw)
        return _tell(damaged)
    with read_store(store) as opened:
        found = named_runs(opened, runs or (), damaged)
        with open_output(csv_file) as out:
            if raw:
                written = write_latencies(raw_latencies(opened, found, None if runs else damaged), out)
            else:
                written = write_runs(found, out)
        is_empty = not written and not opened.pushes(limit=1, skip=0)
    if is_empty:
        typer.echo("bench: no runs stored yet", err=True)
    return _tell(damaged)


def _write_parquet(
    store: str | None, folder: Path, runs: list[str] | None, damaged: list[StoreError], *, raw: bool
) -> None:
    from rkbench.store import open_store
    from rkbench.views.parquet import write_parquet
    from rkbench.views.store import show_so_far

    if runs:
        raise UsageError(
            "--parquet writes the whole store", hint="leave the names of runs away, or use --csv"
        )
    with open_store(store, create=False) as opened:
        files = write_parquet(
            opened, folder, raw=raw, damaged=damaged, told=lambda done: show_so_far(done, "written")
        )
    typer.echo(f"wrote {len(files)} files into {folder}")


def _tell(damaged: list[StoreError]) -> int:
    for error in damaged:
        typer.echo(f"bench: left out: {printable(error.message)}", err=True)
    return 1 if damaged else 0
