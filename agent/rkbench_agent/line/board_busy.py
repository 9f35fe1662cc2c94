"""Taking the board for a plan: at once, after a wait while others hold it, or not at all."""

from __future__ import annotations

import time
from typing import Callable, Sequence

from rkbench_agent.board.lock import BoardLock
from rkbench_agent.board.turns import BoardTurns, Ticket
from rkbench_agent.line.link import HostLink
from rkbench_agent.wire.board import Holder
from rkbench_agent.wire.messages import Locked, Refused
from rkbench_agent.wire.plan import Plan
from rkbench_agent.wire.words import BAD_INPUT, BUSY

LOCKED_INTERVAL_S = 1.0
#: Who waits and is stopped loses its turn after so long; it has it again once it goes on.
LEASE_S = 15.0


def take_board(
    lock: BoardLock,
    turns: BoardTurns,
    plan: Plan,
    link: HostLink,
    lasting_s: float,
    wait: Callable[[float], None],
) -> bool:
    """Take the board for `lasting_s` when it is the plan's turn; False once that was refused.

    It waits as long as the plan says. `wait` lets so many seconds pass in which the host is heard.
    """
    try:
        return _take(lock, turns, plan, link, lasting_s, wait)
    finally:
        turns.leave()


def _take(
    lock: BoardLock,
    turns: BoardTurns,
    plan: Plan,
    link: HostLink,
    lasting_s: float,
    wait: Callable[[float], None],
) -> bool:
    deadline = time.monotonic() + plan.lock_wait_s
    while True:
        ahead = turns.ahead(plan.priority)
        try:
            holder = _next(lock, ahead) if ahead else lock.acquire(plan.owner, plan.reason, lasting_s)
        except OSError as error:
            message = f"cannot lock the board: {error}"
            link.send(Refused(BAD_INPUT, message, "the cache folder must be writable"))
            return False
        if holder is None:
            return True
        remaining_s = deadline - time.monotonic()
        if remaining_s <= 0:
            link.send(_busy(holder, len(ahead)))
            return False
        try:
            turns.wait(plan.owner, plan.reason, plan.priority, LEASE_S)
        except OSError as error:
            link.log(f"no turn can be kept on the board, who asks at the right moment is next: {error}")
        place, among = len(turns.ahead(plan.priority)) + 1, len(turns.tickets())
        link.send(Locked(holder.owner, holder.since_unix_ns, remaining_s, holder.reason, place, among))
        wait(min(LOCKED_INTERVAL_S, remaining_s))


def _next(lock: BoardLock, ahead: Sequence[Ticket]) -> Holder:
    """Return who holds the board, or the one whose turn it is to take it."""
    first = ahead[0].waiter
    return lock.holder() or Holder(first.owner, first.since_unix_ns, first.reason)


def _busy(holder: Holder, waiting: int) -> Refused:
    since = ""
    if holder.since_unix_ns is not None:
        since = time.strftime(" since %Y-%m-%d %H:%M:%S UTC", time.gmtime(holder.since_unix_ns / 1e9))
    what = f", for {holder.reason}" if holder.reason else ""
    late = holder.until_unix_ns is not None and holder.until_unix_ns < time.time_ns()
    hangs = "; its agent hangs, or the clock has jumped" if late else ""
    others = f"; {waiting} wait{'s' if waiting == 1 else ''} for it before you" if waiting else ""
    message = f"the board is held by {holder.owner}{since}{what}{hangs}{others}"
    return Refused(BUSY, message, "try again later, or wait for it with --wait")
