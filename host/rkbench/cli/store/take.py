"""`bench store import`: another store, taken into this one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rkbench.cli import options


def take(
    source: Annotated[Path, typer.Argument(help="The file of the other store, which stays as it is.")],
    store: options.Store = None,
) -> int:
    """Take in the runs, nights and tags of another store; exit 1 where some are damaged."""
    from rkbench.campaign.keeping import import_store
    from rkbench.views.store import show_imported

    found = import_store(store, source)
    show_imported(found, source)
    return 1 if found.faults else 0
