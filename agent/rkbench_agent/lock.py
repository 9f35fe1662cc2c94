"""One push at a time on a board: a lock that the kernel takes back when its holder dies."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional


class Holder(NamedTuple):
    """Who holds the board, as far as the lock file tells."""

    owner: str
    since_unix_ns: Optional[int]


class BoardLock:
    """A file under flock; its content says who holds it. The file itself stays."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: Optional[int] = None

    def acquire(self, owner: str) -> Optional[Holder]:
        """Take the lock and return None, or return who holds it. Raises OSError."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(str(self._path), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = _read_holder(fd)
            os.close(fd)
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            return holder
        content = {"owner": owner, "since_unix_ns": time.time_ns(), "pid": os.getpid()}
        os.ftruncate(fd, 0)
        os.pwrite(fd, json.dumps(content).encode("utf-8"), 0)
        self._fd = fd
        return None

    def release(self) -> None:
        """Give the lock back, if it is held."""
        if self._fd is not None:
            os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = None


def _read_holder(fd: int) -> Holder:
    try:
        value: Dict[str, Any] = json.loads(os.pread(fd, 4096, 0).decode("utf-8"))
        return Holder(str(value["owner"]), int(value["since_unix_ns"]))
    except (OSError, ValueError, KeyError, TypeError):
        # The holder is just writing it, or is an older agent.
        return Holder("unknown", None)
