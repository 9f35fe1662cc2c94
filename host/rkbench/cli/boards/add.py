"""`bench boards add`: a board and its host key, into the inventory."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from rkbench.cli import completion, options
from rkbench.cli.voice import say
from rkbench.errors import UsageError


def add(
    name: Annotated[str, typer.Argument(help="What to call the board.")],
    address: Annotated[
        str, typer.Argument(help="USER@HOST[:PORT], an alias of ~/.ssh/config, or `virtual`.")
    ],
    soc: Annotated[
        str | None, typer.Option(help="rk3588, rk3568, ...", autocompletion=completion.socs)
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A word that --board can name; repeatable.")] = None,
    python: Annotated[
        str | None, typer.Option(help="Python on the board; where RKNNLite is installed.")
    ] = None,
    become: Annotated[str | None, typer.Option(help="Put before every command, as `sudo -n`.")] = None,
    cache: Annotated[str | None, typer.Option(help="Cache folder on the board.", show_default=False)] = None,
    fingerprint: Annotated[str | None, typer.Option(help="SHA256:... that the host key must have.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Take the host key as it is.")] = False,
    inventory: options.Inventory = None,
) -> None:
    """Add a board, once you have agreed to its host key.

    Of a board that is known by that name, what is not told stays as it is.
    """
    from rkbench.boards.finding import find_inventory
    from rkbench.boards.registration import board_told, double_meanings, register_board

    path = find_inventory(inventory)
    told = {"soc": soc, "tags": tuple(tag) if tag else None, "python": python, "become": become}
    board = board_told(name, address, path, {**told, "cache_dir": cache})
    confirm = (lambda _: True) if yes else _confirm
    done = register_board(board, path, fingerprint=fingerprint, confirm=confirm)
    changed = f" ({'; '.join(done.changes)})" if done.changes else " (nothing else is changed)"
    where = f"{done.path}{f', in place of the one before{changed}' if done.replaced else ''}"
    say(f"{name} is in {where}; host key {done.fingerprint}")
    for meaning, cure in double_meanings(done.board, path):
        say(f"note: {meaning}\n  → {cure}", err=True)


def _confirm(question: str) -> bool:
    """Ask on the terminal; raises UsageError where there is none."""
    if not sys.stdin.isatty():
        hint = "in a script: --fingerprint SHA256:... (or --yes, where the network is trusted)"
        raise UsageError(f"{question} Nobody is here to be asked.", hint=hint)
    return typer.confirm(question, err=True)
