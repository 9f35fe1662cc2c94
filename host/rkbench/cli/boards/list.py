"""`bench boards list`: the inventory, one line a board."""

from __future__ import annotations

from typing import Annotated

import typer

from rkbench.cli import options
from rkbench.cli.voice import say


def list_boards(
    inventory: options.Inventory = None,
    status: Annotated[
        bool, typer.Option("--status", help="Connect to each board and ask whether it is free.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON on stdout.")] = False,
) -> None:
    """List the boards; with --status, who holds them."""
    from rkbench.boards.provider import open_boards
    from rkbench.views.boards import show_boards, show_states

    boards = open_boards(inventory)
    found = boards.listed()
    if status:
        from rkbench.campaign.status import ask_boards
        from rkbench.session import Sessions

        with Sessions(boards.look) as sessions:
            states = ask_boards(found, sessions.open, boards.is_ready)
        show_states(states, as_json=as_json)
    else:
        show_boards(found, as_json=as_json)
    if not found and not as_json:
        say(f"no boards in {boards.path}; add one: bench boards add NAME USER@HOST", err=True)
