"""`bench boards list`: the inventory, one line a board."""

from __future__ import annotations

from typing import Annotated

import typer

from rkbench.cli import options


def list_boards(
    inventory: options.Inventory = None,
    status: Annotated[
        bool, typer.Option("--status", help="Connect to each board and ask whether it is free.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON on stdout.")] = False,
) -> None:
    """List the boards; with --status, who holds them."""
    from rkbench.boards.inventory import find_inventory, load_inventory
    from rkbench.views.boards import show_boards, show_states

    found = load_inventory(find_inventory(inventory))
    if status:
        from rkbench.campaign.status import ask_boards
        from rkbench.session import open_session

        show_states(ask_boards(found.boards, open_session), as_json=as_json)
    else:
        show_boards(found.boards, as_json=as_json)
    if not found.boards and not as_json:
        typer.echo(f"no boards in {found.path}; add one: bench boards add NAME USER@HOST", err=True)
