"""The board between the plans of one host: kept while nobody else waits for it."""

from __future__ import annotations

from typing import Callable, List

from rkbench_agent.board.lock import BoardLock
from rkbench_agent.board.turns import BoardTurns
from rkbench_agent.loop import Loop, Timer
from rkbench_agent.wire.messages import KeepBoard

#: Who begins to wait while no plan runs is let in so soon: it asks no more often than once a second.
LOOK_S = 0.5


class KeptBoard:
    """The lock of a board, as one conversation has it.

    `turns` returns who waits for it. Every `renew_s` a lock that is held says that it is for `lasting_s`.
    """

    def __init__(
        self,
        lock: BoardLock,
        turns: Callable[[], BoardTurns],
        loop: Loop,
        lasting_s: float,
        renew_s: float,
    ) -> None:
        self.lock = lock
        self._turns = turns
        self._loop = loop
        self._lasting_s = lasting_s
        self._renew_s = renew_s
        self._keeps = False
        self._timers: List[Timer] = []

    def keep(self, asked: KeepBoard) -> None:
        """Keep the board from here on, and take it now where it is free.

        Nobody is waited for, and nothing refused: the next plan says who has it, or what its lock lacks.
        Where who waits cannot say so it is not kept: they would never get in.
        """
        self._keeps = self._turns().is_open()
        if not self._keeps or self.lock.is_held or self._turns().tickets():
            return
        try:
            holder = self.lock.acquire(asked.owner, asked.reason, self._lasting_s)
        except OSError:
            return
        if holder is None:
            self._start()

    def renew(self) -> None:
        """Say that whoever holds the board lives."""
        self.lock.renew(self._lasting_s)

    def begin_plan(self, priority: int) -> bool:
        """Return whether the plan that begins has the board already: not if somebody is before it."""
        self._stop()
        if self.lock.is_held and self._turns().ahead(priority):
            self.lock.release()
        return self.lock.is_held

    def end_plan(self) -> None:
        """Let others have the board, if they are waiting or it is not to be kept."""
        if self._keeps and self.lock.is_held and not self._turns().tickets():
            self._start()
        else:
            self.release()

    def release(self) -> None:
        """Let others have the board."""
        self._stop()
        self.lock.release()

    def _look(self) -> None:
        if self._turns().tickets():
            self.release()

    def _start(self) -> None:
        self._stop()
        pairs = (LOOK_S, self._look), (self._renew_s, self.renew)
        self._timers = [self._loop.start(interval_s, action) for interval_s, action in pairs]

    def _stop(self) -> None:
        while self._timers:
            self._loop.stop(self._timers.pop())
