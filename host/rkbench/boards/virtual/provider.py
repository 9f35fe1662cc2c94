"""Virtual boards as a source of boards: `virtual` and `virtual:SOC`, each started when it is held."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from rkbench.boards.model import VIRTUAL_HOST, Board
from rkbench.boards.virtual.folder import clear_left_behind

#: What `virtual:SOC` can be.
VIRTUAL_SOCS = ("rk3588", "rk3568")


def is_virtual(word: str) -> bool:
    """Return whether `word` is `virtual[:SOC]`, whatever any inventory says."""
    return word.partition(":")[0] == VIRTUAL_HOST


class VirtualBoards:
    """Boards that are made when they are asked for."""

    def __init__(self, inventory: Path | None = None) -> None:
        del inventory  # they stand in none

    def names(self) -> tuple[str, ...]:
        """Return nothing: there is none until it is asked for."""
        return ()

    def find(self, word: str) -> tuple[Board, ...]:
        """Return the virtual board that `virtual[:SOC]` means."""
        soc = word.partition(":")[2].lower()
        if not is_virtual(word):
            return ()
        clear_left_behind(Path(tempfile.gettempdir()))  # also where nothing is left to measure
        return (Board(word, VIRTUAL_HOST, soc=soc or "rk3588", runtime="virtual", simulated=True),)

    def hold(self, name: str) -> AbstractContextManager[Board]:
        """Start it, and yield how it is reached while it runs."""
        (board,) = self.find(name)
        return run_virtual(board)


@contextmanager
def run_virtual(board: Board) -> Iterator[Board]:
    """Start the virtual `board`, yield how it is reached, and end it; raises InventoryError."""
    from rkbench.boards.virtual.board import VirtualBoard  # it brings an SSH server

    with VirtualBoard(board) as running:
        yield running.board
