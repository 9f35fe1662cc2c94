"""`bench boards release`: a board that was taken out, back again."""

from __future__ import annotations

from typing import Annotated

import typer

from rkbench.cli import completion, options
from rkbench.cli.voice import say


def release(
    name: Annotated[
        str, typer.Argument(help="The board to use again.", autocompletion=completion.inventory_boards)
    ],
    inventory: options.Inventory = None,
) -> None:
    """Use a board again that was taken out for its faults."""
    from rkbench.boards import health
    from rkbench.boards.provider import open_boards

    board = open_boards(inventory).one(name)
    was_out = health.release(board)
    say(f"{board.name} is used again" if was_out else f"{board.name} was not taken out")
