"""`bench report`: stored runs as a page, Markdown, a picture or a trace."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rkbench.cli import completion, options
from rkbench.cli.voice import say_written, voice_of
from rkbench.errors import UsageError


def report(
    context: typer.Context,
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            help="Runs, pushes, nights (the end or start of an id), tags, days, or `last`.",
            autocompletion=completion.stored,
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="FILE.html, .md, .png, .svg or .pdf.")
    ] = None,
    trace: Annotated[
        Path | None, typer.Option(help="Every call as a trace for ui.perfetto.dev: FILE.json.")
    ] = None,
    site: Annotated[
        Path | None, typer.Option(help="Write a site of the whole store to a folder, or what is new of it.")
    ] = None,
    baseline: options.Baseline = None,
    store: options.Store = None,
) -> None:
    """Write stored runs as a page, Markdown, a picture or a trace."""
    if site is not None:
        _write_site(context, site, store, alone=not (runs or output or trace or baseline))
        return
    from rkbench.campaign.stored import load_night, load_several
    from rkbench.views.report.files import check_report, write_report

    check_report(output, trace)
    if not runs:
        raise UsageError("no run is named", hint="as in bench report last -o report.html; of all: --site DIR")
    collected, comparison = load_several(store, runs, baseline)
    nights = [night for name in runs if (night := load_night(store, name)) is not None]
    write_report(collected, comparison, output, trace, nights)
    say_written(context, output, trace)


def _write_site(context: typer.Context, folder: Path, address: str | None, *, alone: bool) -> None:
    from rkbench.store import read_store
    from rkbench.views.site.build import build_site
    from rkbench.views.store import show_files_so_far

    if not alone:
        raise UsageError("--site is of the whole store", hint="leave runs, -o, --trace and --baseline away")
    with read_store(address) as store:
        quiet = voice_of(context).quiet
        built = build_site(store, folder, lambda done, of: None if quiet else show_files_so_far(done, of))
    typer.echo(f"{folder / 'index.html'}: {built.written:,} files written, {built.kept:,} as they were")
