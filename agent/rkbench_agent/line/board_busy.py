"""Taking the board for a plan: at once, after a wait while others hold it, or not at all."""

from __future__ import annotations

import time
from typing import Callable

from rkbench_agent.board.lock import BoardLock
from rkbench_agent.line.link import HostLink
from rkbench_agent.wire.board import Holder
from rkbench_agent.wire.messages import Locked, Refused
from rkbench_agent.wire.plan import Plan
from rkbench_agent.wire.words import BAD_INPUT, BUSY

LOCKED_INTERVAL_S = 1.0


def take_board(
    lock: BoardLock, plan: Plan, link: HostLink, lasting_s: float, wait: Callable[[float], None]
) -> bool:
    """Take the board for `lasting_s`, waiting as long as the plan says; False once it was refused.

    `wait` lets so many seconds pass in which the host is heard.
    """
    deadline = time.monotonic() + plan.lock_wait_s
    while True:
        try:
            holder = lock.acquire(plan.owner, plan.reason, lasting_s)
        except OSError as error:
            message = f"cannot lock the board: {error}"
            link.send(Refused(BAD_INPUT, message, "the cache folder must be writable"))
            return False
        if holder is None:
            if lock.doubt is not None:
                link.doubt("other_users_unseen", lock.doubt)
            return True
        remaining_s = deadline - time.monotonic()
        if remaining_s <= 0:
            link.send(_busy(holder))
            return False
        link.send(Locked(holder.owner, holder.since_unix_ns, remaining_s, holder.reason))
        wait(min(LOCKED_INTERVAL_S, remaining_s))


def _busy(holder: Holder) -> Refused:
    since = ""
    if holder.since_unix_ns is not None:
        since = time.strftime(" since %Y-%m-%d %H:%M:%S UTC", time.gmtime(holder.since_unix_ns / 1e9))
    what = f", for {holder.reason}" if holder.reason else ""
    late = holder.until_unix_ns is not None and holder.until_unix_ns < time.time_ns()
    hangs = "; its agent hangs, or the clock has jumped" if late else ""
    message = f"the board is held by {holder.owner}{since}{what}{hangs}"
    return Refused(BUSY, message, "try again later, or wait for it with --wait")
