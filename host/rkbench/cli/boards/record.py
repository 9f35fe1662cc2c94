"""`bench boards record`: what a board tells of itself, as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rkbench.cli import completion, options
from rkbench.cli.voice import say


def record(
    name: Annotated[
        str,
        typer.Argument(
            help="NAME, SoC, user@host[:port] or virtual[:rk3588|rk3568].", autocompletion=completion.boards
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="The folder to make.")],
    inventory: options.Inventory = None,
) -> None:
    """Record what a board tells, to send with a report.

    No serial numbers, addresses or names are in it; look through it before you send it.
    """
    from rkbench.boards.provider import open_boards
    from rkbench.boards.recording.ask import ask_recording
    from rkbench.boards.recording.write import beside, check_target, write_recording

    check_target(output)
    boards = open_boards(inventory)
    with boards.hold(boards.one(name).name) as board:
        recording = ask_recording(board)
    write_recording(recording, output)
    links, sources = beside(output)
    count = len(recording.files) + len(recording.nodes)
    say(f"{count} files in {output}, {len(recording.links)} links in {links}; what each is: {sources}")
    say("Serial numbers, addresses and names were taken out. Look through it before you send it.")
