"""`bench store prune`: what is old goes."""

from __future__ import annotations

from typing import Annotated

import typer

from rkbench.cli import options, voice


def prune(
    context: typer.Context,
    older_than: Annotated[str, typer.Option(help="What started before: 365d, 52w, or a day as 2026-01-31.")],
    raw: Annotated[
        bool, typer.Option("--raw", help="Only raw latencies and readings, which take most of the room.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how many runs would go.")] = False,
    store: options.Store = None,
) -> None:
    """Remove old runs, but for tagged ones and baselines in force.

    Nights of which no run is left go with them; gates on history ask the last 90 nights of a suite.
    """
    import time

    from rkbench.campaign.keeping import prune_store
    from rkbench.campaign.past import moment_of
    from rkbench.views.store import show_pruned, show_so_far

    quiet = voice.voice_of(context).quiet
    before = moment_of(older_than, time.time(), "--older-than")
    show_pruned(
        prune_store(
            store,
            before,
            raw_only=raw,
            planned=dry_run,
            told=lambda runs: None if quiet else show_so_far(runs, "looked at" if dry_run else "pruned"),
        )
    )
