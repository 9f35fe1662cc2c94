"""Whose turn it is on a board: who waits for it, in order of priority and then of coming.

Each who waits has a file, a *ticket*, in one folder of the board, and renews it while it waits. A ticket
counts as long as its process lives and for a few seconds after it was renewed: one that was killed is gone at
once, one that is stopped holds nobody up.
"""

from __future__ import annotations

import json
import os
import stat
import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from rkbench_agent.board.lock import CONTENT_LIMIT_BYTES, TIME_LIMIT_NS, as_count, as_text, is_alive
from rkbench_agent.own_files import claim, open_plain
from rkbench_agent.wire.board import Waiter

FOLDER = "rkbench-board.queue"
#: A folder that anybody may write to can be full of anything: no more names than these are read.
_MOST = 1000
#: A ticket that claims to hold for longer is of an earlier start of the board.
LEASE_LIMIT_S = 120.0
_PRIORITY_LIMIT = 1_000_000


@dataclass(frozen=True)
class Ticket:
    """One who waits: `came_ns` and `until_ns` are of the clock since the board's start."""

    waiter: Waiter
    came_ns: int
    pid: int

    @property
    def order(self) -> Tuple[int, int, int]:
        """Sorts by priority, the highest first, then by coming."""
        return (-self.waiter.priority, self.came_ns, self.pid)


class BoardTurns:
    """The tickets of a board: beside the lock `wide` that all its users share, else beside `lock_file`."""

    def __init__(self, lock_file: Path, wide: Optional[Path]) -> None:
        self._folder = lock_file.with_name("queue") if wide is None else wide.with_name(FOLDER)
        self._is_shared = wide is not None
        self._came_ns = time.monotonic_ns()
        self._since_unix_ns = time.time_ns()

    def wait(self, owner: str, reason: str, priority: int, lease_s: float) -> None:
        """Have a ticket, or renew it, for `lease_s`; raises OSError."""
        self._make_folder()
        content = {
            "owner": owner,
            "reason": reason,
            "priority": priority,
            "since_unix_ns": self._since_unix_ns,
            "came_ns": self._came_ns,
            "until_ns": time.monotonic_ns() + int(lease_s * 1e9),
        }
        data = json.dumps(content).encode("utf-8")
        fd = claim(self._own, os.O_WRONLY, 0o644)
        try:
            os.pwrite(fd, data, 0)
            os.ftruncate(fd, len(data))
        finally:
            os.close(fd)

    def leave(self) -> None:
        """Have no ticket any more."""
        with suppress(OSError):  # there was none, or the folder is gone
            self._own.unlink()

    def is_open(self) -> bool:
        """Whether all who come can have a ticket; their folder is made where it is missing."""
        try:
            self._make_folder()
            mode = self._folder.lstat().st_mode
        except OSError:
            return False
        return not self._is_shared or mode & 0o1777 == 0o1777

    def ahead(self, priority: int) -> List[Ticket]:
        """Return who comes before this process, the next one first."""
        own = (-priority, self._came_ns, os.getpid())
        return [ticket for ticket in self.tickets() if ticket.order < own and ticket.pid != os.getpid()]

    def tickets(self) -> List[Ticket]:
        """Return all who wait, the next one first; nonsense is none."""
        try:
            folder = os.open(str(self._folder), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return []
        try:
            with os.scandir(folder) as entries:
                found = [self._ticket(entry.name, folder) for entry in islice(entries, _MOST)]
        except OSError:
            return []
        finally:
            os.close(folder)
        return sorted((ticket for ticket in found if ticket), key=lambda ticket: ticket.order)

    @property
    def _own(self) -> Path:
        return self._folder / f"{os.getpid()}.{os.geteuid()}"

    def _make_folder(self) -> None:
        try:
            self._folder.mkdir(parents=True)
        except FileExistsError:
            pass
        else:
            self._folder.chmod(0o1777 if self._is_shared else 0o700)
        if not stat.S_ISDIR(self._folder.lstat().st_mode):
            raise NotADirectoryError(str(self._folder))

    def _ticket(self, name: str, folder: int) -> Optional[Ticket]:
        pid, _, user = name.partition(".")
        if not pid.isdigit():
            return None
        if not is_alive(int(pid)):
            if user == str(os.geteuid()):  # others' tickets are theirs to remove, and count for nothing
                with suppress(OSError):
                    os.unlink(name, dir_fd=folder)
            return None
        try:
            fd = open_plain(self._folder / name, os.O_RDONLY)
        except OSError:
            return None
        try:
            value = json.loads(os.pread(fd, CONTENT_LIMIT_BYTES, 0).decode("utf-8"))
        except (OSError, ValueError, RecursionError):
            return None
        finally:
            os.close(fd)
        return _read(value, int(pid)) if isinstance(value, dict) else None


def _read(value: Dict[str, Any], pid: int) -> Optional[Ticket]:
    until, came = (
        as_count(value.get("until_ns"), TIME_LIMIT_NS),
        as_count(value.get("came_ns"), TIME_LIMIT_NS),
    )
    now = time.monotonic_ns()
    if until is None or came is None or not now <= until < now + LEASE_LIMIT_S * 1e9 or came > now:
        return None
    since = as_count(value.get("since_unix_ns"), TIME_LIMIT_NS)
    owner, reason = as_text(value.get("owner")) or "unknown", as_text(value.get("reason"))
    return Ticket(Waiter(owner, reason, _priority(value.get("priority")), since), came, pid)


def _priority(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _PRIORITY_LIMIT:
        return value
    return 0
