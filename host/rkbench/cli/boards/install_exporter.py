"""`bench boards install-exporter`: a board's figures for Prometheus."""

from __future__ import annotations

from typing import Annotated

import typer
from rkbench_agent.wire.words import DEFAULT_EXPORTER_PORT

from rkbench.cli import completion, options
from rkbench.cli.voice import say


def install_exporter(
    name: Annotated[
        str,
        typer.Argument(
            help="A board of the inventory, or USER@HOST[:PORT].", autocompletion=completion.inventory_boards
        ),
    ],
    port: Annotated[
        int | None, typer.Option(help=f"Where it listens (default {DEFAULT_EXPORTER_PORT}).")
    ] = None,
    debugfs: Annotated[
        bool, typer.Option("--debugfs", help="Let it read debugfs too, where it runs as root.")
    ] = False,
    uninstall: Annotated[bool, typer.Option("--uninstall", help="Take it off; nothing is left.")] = False,
    inventory: options.Inventory = None,
) -> None:
    """Keep an exporter for Prometheus running on a board.

    A second time it changes nothing; an exporter of another version is replaced.
    """
    from rkbench.boards.exporter.command import install, remove

    if uninstall:
        say(remove(name, inventory))
        return
    say(install(name, inventory, port=port, debugfs=debugfs))
