"""`bench store backup`: a copy of the store while it is in use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rkbench.cli import options


def backup(
    target: Annotated[Path, typer.Argument(help="The file to write, which is not there yet.")],
    store: options.Store = None,
) -> int:
    """Copy the store as it is at one moment, also while others write to it."""
    from rkbench.campaign.keeping import backup_store
    from rkbench.views.store import show_backup

    lacking = backup_store(store, target)
    show_backup(target, lacking)
    return 1 if lacking else 0
