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
    store: options.Store = None,
) -> None:
    """Hold the nights to come against the runs of this one."""
    from rkbench.nightly.accept import accept_night
    from rkbench.runs.ids import short_ids
    from rkbench.store import open_store

    with open_store(store) as opened:
        accepted, left = accept_night(opened, night, note, force=force)
    shown = short_ids(baseline.run for baseline in accepted)
    for baseline in accepted:
        say(f"{baseline.variant} on {baseline.board} ({baseline.plan}): {shown[baseline.run]}")
    for line in left:
        say(f"left out: {line}", err=True)
