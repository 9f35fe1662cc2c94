"""What `bench boards install-exporter` does and says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rkbench_agent.wire.words import DEFAULT_EXPORTER_PORT

from rkbench.boards.exporter.installation import install_exporter, uninstall_exporter
from rkbench.boards.inventory import add_board, load_inventory
from rkbench.boards.model import Board
from rkbench.boards.provider import Boards, open_boards
from rkbench.errors import UsageError


def install(name: str, inventory: Path | None, *, port: int | None, debugfs: bool) -> str:
    """Install the exporter on the board `name` and return what to tell of it.

    Another port than the inventory's is written there, so that /sd names it. Raises BenchError.
    """
    boards = open_boards(inventory)
    described = _board(name, boards)
    changed = port is not None and port != described.exporter_port
    if port is not None and changed:
        described = replace(described, exporter_port=port)
        _check_port(described)
    with boards.hold(described.name) as board:
        done = install_exporter(replace(board, exporter_port=described.exporter_port), debugfs=debugfs)
    if changed and any(known.name == name for known in load_inventory(boards.path).boards):
        add_board(boards.path, described)
    what = "runs" if done.changed else "already runs"
    version = f"{done.version} ({done.digest[:12]})"
    text = f"{described.name}: exporter {version} {what} at {done.listen} by {done.service}"
    return f"{text}\n  → {done.note}" if done.note else text


def remove(name: str, inventory: Path | None) -> str:
    """Take the exporter off the board `name` and return what to tell of it. Raises BenchError."""
    boards = open_boards(inventory)
    with boards.hold(_board(name, boards).name) as board:
        was_there = uninstall_exporter(board)
    return f"{board.name}: {'the exporter is gone' if was_there else 'there was no exporter'}"


def _board(name: str, boards: Boards) -> Board:
    board = boards.one(name)
    if board.simulated and board.home is None:
        raise UsageError(
            f"board {board.name!r}: a virtual board without a home lives no longer than the command",
            hint=f'give it one in {boards.path}: [boards.{board.name}] with home = "/some/folder"',
        )
    return board


def _check_port(board: Board) -> None:
    if not 1 <= board.exporter_port <= 65535:
        raise UsageError(
            f"--port {board.exporter_port} is no port",
            hint=f"1 to 65535; {DEFAULT_EXPORTER_PORT} if you say nothing",
        )
