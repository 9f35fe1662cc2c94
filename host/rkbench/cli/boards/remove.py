"""`bench boards remove`: forget a board."""

from __future__ import annotations

from typing import Annotated

import typer

from rkbench.cli import completion, options
from rkbench.cli.voice import say


def remove(
    name: Annotated[
        str, typer.Argument(help="The board to forget.", autocompletion=completion.inventory_boards)
    ],
    inventory: options.Inventory = None,
) -> None:
    """Remove a board and its host key from the inventory."""
    from rkbench.boards.finding import find_inventory
    from rkbench.boards.registration import unregister_board

    path = find_inventory(inventory)
    unregister_board(name, path)
    say(f"{name} is no longer in {path}")
