"""One conversation with an emulated board for many pushes, as a night has one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from rkbench.boards.model import Board
from rkbench.session import Session, open_session


class KeptLine:
    """Opens a session at the first call and yields it at each; one that broke is opened anew.

    Login, shell and agent under qemu take longer than most of what a test pushes.
    """

    def __init__(self) -> None:
        self._open = ExitStack()
        self._session: Session | None = None

    @contextmanager
    def __call__(self, board: Board) -> Iterator[Session]:
        """Yield the session with `board`, always the same board."""
        if self._session is None:
            self._session = self._open.enter_context(open_session(board))
        try:
            yield self._session
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the conversation, if there is one."""
        self._session = None
        self._open.close()
