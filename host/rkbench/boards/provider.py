"""Where boards come from: `--board NAME` asks the providers in order; the first that knows it holds it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

from rkbench.boards.address_provider import AddressedBoards
from rkbench.boards.finding import find_inventory
from rkbench.boards.health import check_quarantine, note_health
from rkbench.boards.holding import hooked, is_ready
from rkbench.boards.inventory import InventoryBoards, no_board
from rkbench.boards.labgrid.provider import LabgridBoards
from rkbench.boards.model import Board
from rkbench.boards.virtual.provider import VirtualBoards
from rkbench.errors import HookError, UsageError


class BoardProvider(Protocol):
    """A source of boards, as an inventory is one."""

    def names(self) -> Sequence[str]:
        """Return the names of the boards that are there; boards made when asked for are not among them."""

    def find(self, word: str) -> Sequence[Board]:
        """Return the boards that `word` can mean, in the order to try; none where it means nothing here.

        They are described, not reached. Raises InventoryError where the word is one of ours and wrong.
        """

    def hold(self, name: str) -> AbstractContextManager[Board]:
        """Hold the board `name`, as `find` called it, and yield how it is reached meanwhile."""


#: Holds the board of a name and yields how it is reached.
Hold = Callable[[str], AbstractContextManager[Board]]
#: Yields boards in the order to try for who wants one of them.
First = Callable[[Sequence[Board]], AbstractContextManager[Sequence[Board]]]
#: The providers, in the order of asking; each is given the path of the inventory in use. A new one is its
#: file and a line here. No inventory can take the name of the virtual board for something else.
PROVIDERS: tuple[Callable[[Path], BoardProvider], ...] = (
    VirtualBoards,
    LabgridBoards,
    InventoryBoards,
    AddressedBoards,
)


class Boards:
    """All boards that `--board` can name, with the inventory at `path` as one source."""

    def __init__(self, path: Path, providers: Sequence[Callable[[Path], BoardProvider]] = PROVIDERS) -> None:
        self.path = path
        self._providers = tuple(provider(path) for provider in providers)

    def listed(self) -> tuple[Board, ...]:
        """Return the boards that are there, whether or not anybody asks for them."""
        return tuple(provider.find(name)[0] for provider in self._providers for name in provider.names())

    def find(self, word: str) -> tuple[Board, ...]:
        """Return the boards that `word` can mean, in the order to try: never none; raises InventoryError."""
        return tuple(self._of(word).find(word))

    def one(self, word: str) -> Board:
        """Return the board that `word` means; raises UsageError where it means several, and as `find`."""
        found = self.find(word)
        if len(found) > 1:
            names = ", ".join(board.name for board in found)
            raise UsageError(f"{word!r} is not one board but {len(found)}: {names}", hint="name one of them")
        return found[0]

    def hold(self, name: str) -> AbstractContextManager[Board]:
        """Hold the board `name`, one of `find`, and yield how it is reached meanwhile.

        Raises BoardQuarantinedError for one that is taken out.
        """
        check_quarantine(self._of(name).find(name)[0])
        return self.reach(name)

    def reach(self, name: str) -> AbstractContextManager[Board]:
        """Hold the board `name` as `hold` does, also one that is taken out: for the doctor."""
        return self._readied(name)

    def look(self, name: str) -> AbstractContextManager[Board]:
        """Yield the board `name` as it is now: its hooks are not run. For who only asks how it does."""
        provider = self._of(name)
        check_quarantine(provider.find(name)[0])
        return provider.hold(name)

    @contextmanager
    def first(self, found: Sequence[Board]) -> Iterator[Sequence[Board]]:
        """Yield the boards of one `find` in the order to try for who wants the first that is free.

        Where a queue elsewhere hands them out, as labgrid's does, the first one is ours meanwhile. Raises
        BoardBusyError where it gives none.
        """
        with ExitStack() as use:
            for provider in self._providers:
                if isinstance(provider, LabgridBoards):
                    found = use.enter_context(provider.first(found))
            yield found

    def is_ready(self, board: Board) -> bool:
        """Return whether a board can be reached now without its hooks."""
        return is_ready(board, self.path)

    @contextmanager
    def _readied(self, name: str) -> Iterator[Board]:
        provider = self._of(name)
        with provider.hold(name) as held, ExitStack() as use:
            try:
                board = use.enter_context(hooked(held, self.path))
            except HookError as error:
                note_health(provider.find(name)[0], error.message)
                raise
            yield board

    def _of(self, word: str) -> BoardProvider:
        for provider in self._providers:
            if provider.find(word):
                return provider
        raise no_board(word, self.listed(), self.path)


def open_boards(inventory: Path | None = None, wait_s: float | None = None) -> Boards:
    """Return the boards that can be named, by the inventory that is named or found.

    A place of labgrid's that somebody has is waited for for `wait_s`; None: as long as labgrid's users do.
    Raises UsageError for a named one that is not there: it would be read as one without boards.
    """
    if inventory is not None and not inventory.expanduser().exists():
        raise UsageError(
            f"{inventory}: there is no such file",
            hint=f"look how it is spelled; or make it: bench boards add NAME ADDRESS --inventory {inventory}",
        )
    if wait_s is None:
        return Boards(find_inventory(inventory))
    waiting = [partial(LabgridBoards, wait_s=wait_s) if one is LabgridBoards else one for one in PROVIDERS]
    return Boards(find_inventory(inventory), waiting)
