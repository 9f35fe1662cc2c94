"""Opening files that lie where others may have put something: no link is followed, nothing is waited for."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Optional, Set

#: What is said of a link, a pipe, a device, or a file that is somebody else's.
_IN_THE_WAY = (errno.ELOOP, errno.EINVAL, errno.ENXIO, errno.EPERM)


def open_plain(path: Path, flags: int, mode: int = 0o600) -> int:
    """Return a descriptor of the plain file of one name at `path`; raises OSError for anything else.

    A symbolic link is not followed, a pipe or a device does not hold it up.
    """
    fd = os.open(str(path), flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, mode)
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        os.close(fd)
        raise OSError(errno.EINVAL, "not a plain file", str(path))
    return fd


def open_own(path: Path, flags: int, mode: int = 0o600) -> int:
    """Return a descriptor as `open_plain` does, of a file that nobody else may write; raises OSError."""
    fd = open_plain(path, flags, mode)
    if is_strangers(os.fstat(fd)):
        os.close(fd)
        raise PermissionError(errno.EPERM, "another user may write it", str(path))
    return fd


def claim(path: Path, flags: int, mode: int = 0o600) -> int:
    """Return a descriptor as `open_own` does, made where it is missing; raises OSError.

    What is no file of one's own at its place, a link, a pipe or somebody else's file, gives way to one.
    """
    try:
        return open_own(path, flags | os.O_CREAT, mode)
    except OSError as error:
        if error.errno not in _IN_THE_WAY:
            raise
    path.unlink()
    return open_own(path, flags | os.O_CREAT | os.O_EXCL, mode)


def read_own(path: Path) -> bytes:
    """Return what the file holds; raises OSError as `open_own` does."""
    with os.fdopen(open_own(path, os.O_RDONLY), "rb") as file:
        return file.read()


def write_own(path: Path, data: bytes) -> None:
    """Have `data` in the file at `path`, whole and on the disk, or what was there before; raises OSError."""
    partial = path.with_name(path.name + ".part")
    if os.path.lexists(str(partial)):
        partial.unlink()
    with os.fdopen(open_own(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in `folder` on the disk."""
    descriptor = os.open(str(folder), os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_strangers(found: os.stat_result) -> bool:
    """Tell whether somebody else may write it: neither this user, nor root, nor who called sudo.

    A group of this user's own number is the user alone, as Debian makes them. The boot script judges alike.
    """
    trusted = trusted_ids()
    by_group = found.st_mode & stat.S_IWGRP and found.st_gid not in trusted
    return found.st_uid not in trusted or bool(found.st_mode & stat.S_IWOTH or by_group)


def trusted_ids() -> Set[int]:
    """Return the user ids that may do here whatever we may."""
    found = {0, os.geteuid()}
    caller: Optional[str] = os.environ.get("SUDO_UID") if os.geteuid() == 0 else None
    return found | {int(caller)} if caller and caller.isdigit() else found
