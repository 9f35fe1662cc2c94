"""A board with hooks, held: the first who uses it readies it, the last leaves it as its hooks say.

Who uses one lies in `bench.holds/` beside the inventory, so that all who share the one know of each other: a
file a board, under a shared lock of the kernel for each that uses it. What a host that was killed left is
known by the record in it that nobody has a lock of.
"""

from __future__ import annotations

import fcntl
import getpass
import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import quote

from rkbench.boards.hooks import AFTER, BEFORE, has_hooks, run_hook
from rkbench.boards.model import Board
from rkbench.errors import HookError
from rkbench.interrupts import HeldInterrupts

FOLDER = "bench.holds"
#: Who waits while another host process runs its hooks gives up after their limits and so long more.
_MARGIN_S = 30.0
_PAUSE_S = 0.05
_log = logging.getLogger("rkbench.hooks")


@contextmanager
def hooked(board: Board, inventory: Path) -> Iterator[Board]:
    """Yield a board that its hooks have readied, and run those after it at the end, whatever that was.

    Who comes while others of this inventory use the board finds it ready; the last who leaves runs the hooks
    after it, and what these fail at is logged: what was measured stands. Raises HookError.
    """
    if not has_hooks(board):
        yield board
        return
    place = _Place(board, inventory)
    is_first = place.enter()
    try:
        yield board if is_first else replace(board, boot_limit_s=0.0)
    finally:
        place.leave()


def is_ready(board: Board, inventory: Path) -> bool:
    """Return whether a board can be reached as it is: it has no hooks, or somebody uses it just now."""
    if not board.before_hold:
        return True
    try:
        fd = os.open(_file(board, inventory), os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _try(fd, fcntl.LOCK_EX)
    finally:
        os.close(fd)


def _file(board: Board, inventory: Path) -> Path:
    return inventory.with_name(FOLDER) / quote(board.name, safe="")


class _Place:
    """The file of one board: `_fd` has the shared lock of who uses it, while a second file is locked by who
    runs hooks, so that nobody comes or goes meanwhile."""

    def __init__(self, board: Board, inventory: Path) -> None:
        self._board = board
        self._folder = inventory.absolute().parent
        self._path = _file(board, inventory)
        self._fd = -1

    def enter(self) -> bool:
        """Use the board; returns whether it was readied by that. Raises HookError."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
            with self._alone():
                is_first = _try(self._fd, fcntl.LOCK_EX)
                if is_first:
                    self._begin()
                fcntl.flock(self._fd, fcntl.LOCK_SH)
        except OSError as error:
            self._close()
            raise HookError(
                f"board {self._board.name!r}: who uses it cannot be kept: {self._path}: {error.strerror}",
                hint="the folder must be writable for all who share the inventory",
            ) from error
        except BaseException:
            self._close()
            raise
        return is_first

    def leave(self) -> None:
        """End the use of the board; who is the last runs the hooks after it. Nothing is raised but Ctrl-C."""
        interrupts = HeldInterrupts()
        try:
            with interrupts.heard(), interrupts.held(), self._alone():
                if _try(self._fd, fcntl.LOCK_EX):
                    self._end()
        except (HookError, OSError) as error:
            _log.error("%s", error)
        finally:
            self._close()

    def _begin(self) -> None:
        """Ready the board; where that fails it is left as after a use."""
        left = os.pread(self._fd, 4096, 0).decode(errors="replace").strip()
        if left:
            _log.warning(
                "board %r: its last use, by %s, ended without its hooks (killed?): after_hold is run now",
                self._board.name,
                left,
            )
            self._end()
        since = datetime.fromtimestamp(time.time(), timezone.utc)
        who = f"{getpass.getuser()}@{socket.gethostname()} (process {os.getpid()})"
        os.pwrite(self._fd, f"{who} since {since:%Y-%m-%d %H:%M:%S UTC}\n".encode(), 0)
        try:
            run_hook(BEFORE, self._board, self._folder)
        except BaseException:
            self._end()
            raise

    def _end(self) -> None:
        """Run the hooks after a use and forget it; what fails is logged, and forgotten all the same."""
        try:
            run_hook(AFTER, self._board, self._folder)
        except HookError as error:
            _log.error("%s", f"{error.message}\n{error.hint}")
        os.ftruncate(self._fd, 0)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let nobody else come or go; raises HookError where another stays in there."""
        fd = os.open(self._path.with_name(f".{self._path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o666)
        deadline_s = time.monotonic() + 3 * self._board.hook_limit_s + _MARGIN_S
        try:
            while not _try(fd, fcntl.LOCK_EX):
                if time.monotonic() >= deadline_s:
                    by = os.pread(self._fd, 4096, 0).decode(errors="replace").strip() or "another process"
                    raise HookError(
                        f"board {self._board.name!r}: its hooks are being run by {by}, and do not end",
                        hint="look at that process; it may be stopped (kill -CONT) or hang",
                    )
                time.sleep(_PAUSE_S)
            yield
        finally:
            os.close(fd)

    def _close(self) -> None:
        if self._fd >= 0:
            with suppress(OSError):
                os.close(self._fd)
        self._fd = -1


def _try(fd: int, kind: int) -> bool:
    """Take a lock, and return whether it was to be had."""
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
