"""`bench history`: the stored runs, one line each."""

from __future__ import annotations

from typing import Annotated

import typer

from rkbench.cli import completion, options


def history(
    model: Annotated[
        str | None,
        typer.Option(
            help="A variant's name or the start of its SHA-256.", autocompletion=completion.variants
        ),
    ] = None,
    board: Annotated[
        str | None, typer.Option(help="A board's name or SoC.", autocompletion=completion.boards)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10**9, help="How many runs.")] = 20,
    store: options.Store = None,
) -> None:
    """List stored runs, the newest first."""
    from rkbench.store import open_store
    from rkbench.views.history import show_history

    with open_store(store) as opened:
        asked = " ".join(f"--{word} {name}" for word, name in (("model", model), ("board", board)) if name)
        show_history(opened.history(model=model, board=board, limit=limit), asked=asked)
