"""Boards named by their address alone."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from rkbench.boards.address import parse_address
from rkbench.boards.inventory import known_hosts_of
from rkbench.boards.model import Board
from rkbench.errors import NoBoardError


class AddressedBoards:
    """The boards that stand in no inventory: `user@host[:port]`, with the host keys of the one in use."""

    def __init__(self, inventory: Path) -> None:
        self._known_hosts = known_hosts_of(inventory)

    def names(self) -> tuple[str, ...]:
        """Return nothing: nobody knows them before they are asked for."""
        return ()

    def find(self, word: str) -> tuple[Board, ...]:
        """Return the board at the address `word`; raises NoBoardError where it is damaged."""
        if "@" not in word:
            return ()
        try:
            user, host, port = parse_address(word)
        except ValueError as error:
            raise NoBoardError(f"no board {word!r}: {error}", hint="user@host or user@host:port") from error
        return (Board(word, host, port, user, known_hosts_files=(self._known_hosts,)),)

    def hold(self, name: str) -> AbstractContextManager[Board]:
        """Yield the board: it is there without us."""
        return nullcontext(self.find(name)[0])
