"""What `bench boards install-exporter` does and says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rkbench.boards.exporter.installation import install_exporter, uninstall_exporter
from rkbench.boards.inventory import add_board, candidates, find_inventory, load_inventory
from rkbench.boards.model import Board
from rkbench.errors import UsageError


def install(name: str, inventory: Path | None, *, port: int | None, debugfs: bool) -> str:
    """Install the exporter on the board `name` and return what to tell of it.

    Another port than the inventory's is written there, so that /sd names it. Raises BenchError.
    """
    path = find_inventory(inventory)
    board = _board(name, path)
    if port is not None and port != board.exporter_port:
        board = replace(board, exporter_port=port)
        _check_port(board)
        done = install_exporter(board, debugfs=debugfs)
        if any(known.name == name for known in load_inventory(path).boards):
            add_board(path, board)
    else:
        done = install_exporter(board, debugfs=debugfs)
    what = "runs" if done.changed else "already runs"
    version = f"{done.version} ({done.digest[:12]})"
    text = f"{board.name}: exporter {version} {what} at {done.listen} by {done.service}"
    return f"{text}\n  → {done.note}" if done.note else text


def remove(name: str, inventory: Path | None) -> str:
    """Take the exporter off the board `name` and return what to tell of it. Raises BenchError."""
    board = _board(name, find_inventory(inventory))
    was_there = uninstall_exporter(board)
    return f"{board.name}: {'the exporter is gone' if was_there else 'there was no exporter'}"


def _board(name: str, path: Path) -> Board:
    board = candidates(name, load_inventory(path))[0]
    if board.simulated and board.home is None:
        raise UsageError(
            f"board {name!r}: a virtual board without a home lives no longer than the command",
            hint=f'give it one in {path}: [boards.{name}] with home = "/some/folder"',
        )
    return board


def _check_port(board: Board) -> None:
    if not 1 <= board.exporter_port <= 65535:
        raise UsageError(
            f"--port {board.exporter_port} is no port", hint="1 to 65535; 9954 if you say nothing"
        )
