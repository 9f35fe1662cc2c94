"""`bench boards check`: the doctor of a board."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rkbench.cli import completion, options
from rkbench.cli.voice import say


def check(
    name: Annotated[
        str,
        typer.Argument(
            help="NAME, SoC, user@host[:port] or virtual[:rk3588|rk3568].", autocompletion=completion.boards
        ),
    ],
    models: Annotated[list[Path] | None, typer.Argument(help="Models that shall run there.")] = None,
    runtime: options.Runtime = None,
    json_file: options.JsonFile = None,
    inventory: options.Inventory = None,
) -> int:
    """Say what a board lacks for running models, and the cure.

    Exit 1 where something fails. A board that was taken out and passes is used again.
    """
    from functools import partial

    from rkbench.boards.health import release
    from rkbench.boards.provider import open_boards
    from rkbench.campaign.check import check_board
    from rkbench.catalogue.check import FAIL
    from rkbench.session import Sessions
    from rkbench.views.doctor import show_checks

    boards = open_boards(inventory)
    board = boards.one(name)
    with Sessions(boards.reach) as sessions:
        found = check_board(board, models or [], partial(sessions.open, board), runtime=runtime)
    if found.environment is not None and found.verdict != FAIL and release(board):
        say(f"{board.name} passes, and is used again", err=True)
    show_checks(found.board, found.checks, json_file)
    return 1 if found.verdict == FAIL else 0
