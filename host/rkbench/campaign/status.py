"""How the boards are just now: which answer, and who holds them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass

from rkbench_agent.wire.board import Waiter

from rkbench.boards.model import Board
from rkbench.campaign.check import Reached
from rkbench.errors import BenchError, BoardQuarantinedError

#: Connecting is waiting: more at once than there are cores.
AT_ONCE = 16


@dataclass(frozen=True)
class BoardStatus:
    """A board as it answered. `fault` is why it did not; `owner`, `reason` and the times (of the board's
    own clock) are those of its holder, None where it is free. `quarantined`: it is taken out, not asked;
    `unready`: its hooks ready it only when it is used, so it was not asked either.
    `waiting`: who waits for it, the next one first."""

    board: Board
    fault: str | None = None
    owner: str | None = None
    reason: str | None = None
    since_unix_s: float | None = None
    until_unix_s: float | None = None
    quarantined: bool = False
    unready: bool = False
    waiting: tuple[Waiter, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return what was found, as JSON values, under the keys of the board's own."""
        found = {key: value for key, value in vars(self).items() if key not in ("board", "waiting")}
        found["waiting"] = [vars(each) for each in self.waiting]
        return {**self.board.to_json(), "status": found}


def ask_boards(
    boards: Sequence[Board],
    connect: Callable[[Board], AbstractContextManager[Reached]],
    is_ready: Callable[[Board], bool] = lambda _: True,
) -> list[BoardStatus]:
    """Connect to all boards at once that are ready to be reached; returns how each is, in order."""

    def ask(board: Board) -> BoardStatus:
        return _ask(board, connect) if is_ready(board) else BoardStatus(board, unready=True)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(ask, boards))


def _ask(board: Board, connect: Callable[[Board], AbstractContextManager[Reached]]) -> BoardStatus:
    try:
        with connect(board) as session:
            holder, waiting = session.environment.holder, tuple(session.environment.waiting or ())
    except BoardQuarantinedError as error:
        return BoardStatus(board, fault=error.message, quarantined=True)
    except BenchError as error:
        return BoardStatus(board, fault=error.message)
    if holder is None:
        return BoardStatus(board, waiting=waiting)
    since, until = holder.since_unix_ns, holder.until_unix_ns
    return BoardStatus(
        board,
        owner=holder.owner,
        reason=holder.reason or None,
        since_unix_s=since / 1e9 if since else None,
        until_unix_s=until / 1e9 if until else None,
        waiting=waiting,
    )
