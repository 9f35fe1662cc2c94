"""`bench store copy`: a store into another, whatever lies behind either."""

from __future__ import annotations

from typing import Annotated

import typer

from rkbench.cli import voice


def copy(
    context: typer.Context,
    source: Annotated[str, typer.Argument(help="The store to copy: a file, or postgresql+psycopg://...")],
    target: Annotated[str, typer.Argument(help="Where it goes; what is there stays.")],
) -> int:
    """Copy a store into another, from a file to a server or back; exit 1 where some are damaged.

    Runs keep their order. What was broken off is gone on with by the same command.
    """
    from rkbench.campaign.keeping import copy_store
    from rkbench.views.store import show_imported, show_so_far

    quiet = voice.voice_of(context).quiet
    found = copy_store(source, target, lambda runs: None if quiet else show_so_far(runs, "copied"))
    show_imported(found, source)
    return 1 if found.faults else 0
