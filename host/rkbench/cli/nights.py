"""`bench nights`: the nights that were run, one line each."""

from __future__ import annotations

from typing import Annotated

import typer

from rkbench.cli import options


def nights(
    suite: Annotated[str | None, typer.Option(help="Those of this suite.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10**9, help="How many nights.")] = 20,
    store: options.Store = None,
) -> None:
    """List the nights that were run, the last first."""
    from rkbench.store import read_store
    from rkbench.views.nightly.listed import print_nights

    with read_store(store) as opened:
        found = (opened.night(night_id) for night_id in opened.nights(suite=suite, limit=limit))
        print_nights([night for night in found if night is not None], suite)
