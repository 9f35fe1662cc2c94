"""The temporary folder of a virtual board: gone with its owner, or where that was killed, with the next."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path

PREFIX = "rkbench-virtual-"
#: Held under a lock as long as the owner lives; the kernel takes it back from a process that is killed.
OWNER = "owner"
#: Older than this without an owner: its process was killed before it was one.
YOUNG_S = 600.0


class BoardFolder:
    """A folder of this user alone, at `path`, until it is removed."""

    def __init__(self) -> None:
        clear_left_behind(Path(tempfile.gettempdir()))
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        # It is locked before it has its name: nobody finds it free.
        partial = self.path / (OWNER + ".part")
        self._fd = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        partial.rename(self.path / OWNER)

    def remove(self) -> None:
        """Delete it, also where a signal comes in between."""
        try:
            _delete(self.path)
        except BaseException:
            _delete(self.path)
            raise
        finally:
            fd, self._fd = self._fd, -1
            if fd >= 0:
                os.close(fd)


def clear_left_behind(folder: Path) -> None:
    """Delete this user's folders of virtual boards in `folder` whose owners are gone."""
    for path in folder.glob(f"{PREFIX}*"):
        if _is_private(path) and (_is_left(path / OWNER) or _never_had(path)):
            _delete(path)


def _delete(path: Path) -> None:
    """Delete a board's folder, its owner last: who is killed meanwhile leaves what the next one clears."""
    for inside in path.glob("*"):
        if inside.is_dir() and not inside.is_symlink():
            shutil.rmtree(inside, ignore_errors=True)
        elif inside.name != OWNER:
            with suppress(OSError):
                inside.unlink()
    shutil.rmtree(path, ignore_errors=True)


def _never_had(path: Path) -> bool:
    """Tell whether a folder got no owner, and its process had the time for it."""
    try:
        return not os.path.lexists(path / OWNER) and time.time() - path.lstat().st_mtime > YOUNG_S
    except OSError:
        return False


def _is_private(path: Path) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077


def _is_left(owner: Path) -> bool:
    """Tell whether nobody holds the file; False where there is none, or it is no file."""
    try:
        fd = os.open(owner, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True
