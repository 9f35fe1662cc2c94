"""`bench baseline accept`: hold the nights to come against one that was good."""

from __future__ import annotations

from typing import Annotated

import typer

from rkbench.cli import completion, options
from rkbench.cli.voice import say


def accept(
    night: Annotated[
        str,
        typer.Argument(
            help="A night or a run of it (the end or start of its id), or `last`.",
            autocompletion=completion.nights,
        ),
    ],
    note: Annotated[str, typer.Option(help="Why, for those who come after you.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Accept SUSPECT runs too.")] = False,
    keep_limit: Annotated[
        float, typer.Option("--keep-limit", min=0, help="Keep models of baselines up to so many GB in all.")
    ] = 8.0,
    store: options.Store = None,
) -> None:
    """Hold the nights to come against the runs of this one."""
    from rkbench.nightly.accept import accept_night
    from rkbench.results.ids import short_ids
    from rkbench.store import read_store

    with read_store(store) as opened:
        accepted = accept_night(opened, night, note, force=force, keep_bytes=int(keep_limit * 1e9))
    shown = short_ids(baseline.run for baseline in accepted.baselines)
    for baseline in accepted.baselines:
        say(f"{baseline.variant} on {baseline.board} ({baseline.plan}): {shown[baseline.run]}")
    for line in accepted.left:
        say(f"left out: {line}", err=True)
    for line in accepted.not_kept:
        say(f"model not kept, history will judge: {line}", err=True)
