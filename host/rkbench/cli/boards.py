"""`bench boards`: the inventory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rkbench.boards.model import Board

boards_app = typer.Typer(help="The boards that you have: add, check, list.", no_args_is_help=True)

InventoryOption = Annotated[
    Path | None,
    typer.Option(
        "--inventory", help="The bench.toml to use; how it is found: README.md.", show_default=False
    ),
]


@boards_app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="What to call the board.")],
    address: Annotated[
        str, typer.Argument(help="USER@HOST[:PORT], an alias of ~/.ssh/config, or `virtual`.")
    ],
    soc: Annotated[str | None, typer.Option(help="rk3588, rk3568, ...")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A word that --board can name; repeatable.")] = None,
    python: Annotated[
        str, typer.Option(help="Python on the board; where RKNNLite is installed.")
    ] = "python3",
    become: Annotated[str, typer.Option(help="Put before every command, as `sudo -n`.")] = "",
    cache: Annotated[str | None, typer.Option(help="Cache folder on the board.", show_default=False)] = None,
    fingerprint: Annotated[str | None, typer.Option(help="SHA256:... that the host key must have.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Take the host key as it is.")] = False,
    inventory: InventoryOption = None,
) -> None:
    """Add a board, once you have agreed to its host key."""
    from rkbench.boards.enrol import board_at, enrol
    from rkbench.boards.inventory import find_inventory
    from rkbench.boards.model import DEFAULT_CACHE

    tags, cache_dir = tuple(tag or ()), cache or DEFAULT_CACHE
    board = board_at(name, address, soc=soc, tags=tags, python=python, become=become, cache_dir=cache_dir)
    done = enrol(
        board,
        find_inventory(inventory),
        fingerprint=fingerprint,
        confirm=(lambda _: True) if yes else _confirm,
    )
    typer.echo(f"{name} is in {done.path}; host key {done.fingerprint}")


@boards_app.command("check")
def check(
    name: Annotated[str, typer.Argument(help="NAME, SoC, user@host[:port] or virtual[:rk3588|rk3568].")],
    models: Annotated[list[Path] | None, typer.Argument(help="Models that shall run there.")] = None,
    runtime: Annotated[str | None, typer.Option(help="lite, capi or virtual; default: the board's.")] = None,
    json_file: Annotated[str | None, typer.Option("--json", help="Write JSON to FILE, or - .")] = None,
    inventory: InventoryOption = None,
) -> int:
    """Say what a board lacks for running models, and the cure.

    Exit 1 where something fails.
    """
    from functools import partial

    from rkbench.boards.inventory import resolve_board
    from rkbench.campaign.check import examine
    from rkbench.session import open_session
    from rkbench.views.doctor import show_examination

    board = resolve_board(name, inventory)
    found = examine(board, models or [], partial(open_session, board), runtime=runtime)
    show_examination(found.board, found.checks, json_file)
    return 1 if found.verdict == "fail" else 0


@boards_app.command("list")
def list_boards(
    inventory: InventoryOption = None,
    status: Annotated[
        bool, typer.Option("--status", help="Connect to each board and ask whether it is free.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON on stdout.")] = False,
) -> None:
    """List the boards; with --status, who holds them."""
    import json

    from rkbench.boards.inventory import find_inventory, load_inventory
    from rkbench.views.boards import board_line

    found = load_inventory(find_inventory(inventory))
    if status:
        _list_status(found.boards, as_json)
    elif as_json:
        typer.echo(json.dumps([board.to_json() for board in found.boards], indent=2))
    else:
        for board in found.boards:
            typer.echo(board_line(board.name, board.soc, board.address, board.tags))
    if not found.boards and not as_json:
        typer.echo(f"no boards in {found.path}; add one: bench boards add NAME USER@HOST", err=True)


def _list_status(boards: tuple[Board, ...], as_json: bool) -> None:
    """Ask the boards, and show what they say."""
    import json

    from rkbench.campaign.status import ask_boards
    from rkbench.session import open_session
    from rkbench.views.boards import board_line, status_words

    found = ask_boards(boards, open_session)
    if as_json:
        typer.echo(json.dumps([state.to_json() for state in found], indent=2))
        return
    for state in found:
        board = state.board
        words = status_words(state.fault, state.owner, state.reason, state.since_unix_s)
        typer.echo(board_line(board.name, board.soc, board.address, board.tags, words))


@boards_app.command("remove")
def remove(
    name: Annotated[str, typer.Argument(help="The board to forget.")], inventory: InventoryOption = None
) -> None:
    """Remove a board and its host key from the inventory."""
    from rkbench.boards.enrol import dismiss
    from rkbench.boards.inventory import find_inventory

    path = find_inventory(inventory)
    dismiss(name, path)
    typer.echo(f"{name} is no longer in {path}")


@boards_app.command("install-exporter")
def install_exporter(
    name: Annotated[str, typer.Argument(help="A board of the inventory, or USER@HOST[:PORT].")],
    port: Annotated[int | None, typer.Option(help="Where it listens (default 9954).")] = None,
    debugfs: Annotated[
        bool, typer.Option("--debugfs", help="Let it read debugfs too, where it runs as root.")
    ] = False,
    uninstall: Annotated[bool, typer.Option("--uninstall", help="Take it off; nothing is left.")] = False,
    inventory: InventoryOption = None,
) -> None:
    """Keep an exporter for Prometheus running on a board.

    A second time it changes nothing; an exporter of another version is replaced.
    """
    from rkbench.boards.exporter.command import install, remove

    if uninstall:
        typer.echo(remove(name, inventory))
        return
    typer.echo(install(name, inventory, port=port, debugfs=debugfs))


def _confirm(question: str) -> bool:
    """Ask on the terminal; raises UsageError where there is none."""
    import sys

    from rkbench.errors import UsageError

    if not sys.stdin.isatty():
        hint = "in a script: --fingerprint SHA256:... (or --yes, where the network is trusted)"
        raise UsageError(f"{question} Nobody is here to be asked.", hint=hint)
    return typer.confirm(question, err=True)
