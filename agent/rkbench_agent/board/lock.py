"""One push at a time on a board: a lock that the kernel takes back when its holder dies.

The lock of a cache folder is one user's. Several users of one board see each other by a second file, in
the folder that the system keeps for such locks.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Dict, Iterable, List, Optional

from rkbench_agent.own_files import claim, open_plain
from rkbench_agent.wire.board import Holder

WIDE_NAME = "rkbench-board.lock"
OWNER_LIMIT = 200
CONTENT_LIMIT_BYTES = 4096
#: The greatest id that Linux gives a process.
PID_LIMIT = 1 << 22
#: In the year 2262.
TIME_LIMIT_NS = 1 << 63


def wide_lock_file(root: Path) -> Optional[Path]:
    """Return the lock that all users of the board under `root` share; None where no folder is for that.

    Only a sticky folder will do: in another, anybody could put a file of his own in its place.
    """
    for folder in (root / "run/lock", root / "tmp"):
        try:
            mode = folder.lstat().st_mode
        except OSError:
            continue
        if stat.S_ISDIR(mode) and mode & stat.S_ISVTX and mode & stat.S_IWOTH:
            return folder / WIDE_NAME
    return None


class BoardLock:
    """Files under flock; their content says who holds them. The files themselves stay.

    `wide` is the lock beyond this user's `path`, see `wide_lock_file`. Where it cannot be opened,
    `path` alone counts and `doubt` says so.
    """

    def __init__(self, path: Path, wide: Optional[Path] = None) -> None:
        self._path = path
        self._wide = wide
        self._fds: List[int] = []
        self._content: Dict[str, Any] = {}
        self.doubt: Optional[str] = None

    def acquire(self, owner: str, reason: str = "", lasting_s: float = 0.0) -> Optional[Holder]:
        """Take the locks for `lasting_s` unless they are held, and return None, or return who else holds one.

        Raises OSError, and has none of them then.
        """
        if self._fds:
            return None
        self.doubt = None
        try:
            holder = self._acquire(owner, reason, lasting_s)
        except OSError:
            self.release()
            raise
        if holder is not None:
            self.release()
        return holder

    def _acquire(self, owner: str, reason: str, lasting_s: float) -> Optional[Holder]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._content = {
            "owner": owner,
            "reason": reason,
            "since_unix_ns": time.time_ns(),
            "pid": os.getpid(),
        }
        self._last(lasting_s)
        holder = self._take(claim(self._path, os.O_RDWR))
        if holder is not None or self._wide is None:
            return holder
        try:
            fd = _open_wide(self._wide)
        except OSError as error:
            self.doubt = f"other users of the board are not seen: {error}"
            return None
        return self._take(fd)

    def renew(self, lasting_s: float) -> None:
        """Say that the holder is alive, for `lasting_s` more; a disk that is full by now changes nothing."""
        self._last(lasting_s)
        for fd in self._fds:
            try:
                self._write(fd)
            except OSError:
                pass  # the lock itself is the kernel's

    @property
    def is_held(self) -> bool:
        """Whether it is this one that holds the board."""
        return bool(self._fds)

    def holder(self) -> Optional[Holder]:
        """Return who holds the board, without touching its locks."""
        return read_holder((self._path, self._wide))

    def release(self) -> None:
        """Give the locks back, if they are held."""
        while self._fds:
            fd = self._fds.pop()
            with suppress(OSError):  # a disk that is read-only by now: the lock itself is the kernel's
                os.ftruncate(fd, 0)
            os.close(fd)

    def _take(self, fd: int) -> Optional[Holder]:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = _read_holder(fd)
            os.close(fd)
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            return holder
        self._fds.append(fd)
        self._write(fd)
        return None

    def _last(self, lasting_s: float) -> None:
        self._content["until_unix_ns"] = time.time_ns() + int(lasting_s * 1e9)

    def _write(self, fd: int) -> None:
        """Write the content over the old one, which has its length while the holder is the same."""
        data = json.dumps(self._content).encode("utf-8")
        os.pwrite(fd, data, 0)
        os.ftruncate(fd, len(data))


def read_holder(paths: Iterable[Optional[Path]]) -> Optional[Holder]:
    """Return who holds a board, without touching its locks; None where nobody does.

    A file that names a process which is no more was left by one that was killed: its lock is free. One
    that holds nonsense, or is no file, is no lock: anybody may write the shared one.
    """
    for path in paths:
        try:
            fd = open_plain(path, os.O_RDONLY) if path else None
        except OSError:
            continue
        if fd is not None:
            try:
                content = _content(fd)
            finally:
                os.close(fd)
            if is_alive(content.get("pid")):
                return _holder(content)
    return None


def is_alive(pid: object) -> bool:
    """Return whether the board has a process of that number; nonsense is none."""
    number = as_count(pid, PID_LIMIT)
    if not number:
        return False
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's
    return True


def _open_wide(path: Path) -> int:
    """Return a descriptor of a file that users share, made where it is missing; raises OSError.

    It lies where anybody may write, so it must be a plain file of one name: no symbolic link leads the
    write elsewhere, no pipe holds it up. A kernel that protects such folders (fs.protected_regular)
    refuses O_CREAT for a file that is somebody else's, hence two steps.
    """
    try:
        return open_plain(path, os.O_RDWR)
    except FileNotFoundError:
        try:
            fd = open_plain(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
            os.fchmod(fd, 0o666)  # whatever the umask
        except FileExistsError:
            fd = open_plain(path, os.O_RDWR)  # another push was just faster
    return fd


def _read_holder(fd: int) -> Holder:
    """Return who holds the lock of `fd`: unknown while it is just being written, or where it is nonsense."""
    return _holder(_content(fd))


def _content(fd: int) -> Dict[str, Any]:
    """Return what a lock file says; empty where that is nonsense."""
    try:
        value = json.loads(os.pread(fd, CONTENT_LIMIT_BYTES, 0).decode("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _holder(value: Dict[str, Any]) -> Holder:
    owner, reason = value.get("owner"), value.get("reason")
    since, until = value.get("since_unix_ns"), value.get("until_unix_ns")
    return Holder(
        as_text(owner) or "unknown",
        as_count(since, TIME_LIMIT_NS),
        as_text(reason),
        as_count(until, TIME_LIMIT_NS),
    )


def as_count(value: object, limit: int) -> Optional[int]:
    """Return a whole number below `limit`, None for anything else (true and false are numbers in Python)."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < limit else None


def as_text(value: object) -> str:
    """Return the printable part of a text of others, not all of a long one; "" for anything else."""
    if not isinstance(value, str):
        return ""
    return "".join(letter for letter in value if letter.isprintable())[:OWNER_LIMIT]
