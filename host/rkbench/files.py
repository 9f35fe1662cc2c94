"""Files of this computer: those that boards are to have, each under its SHA-256, and small ones of text."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from rkbench.errors import UsageError
from rkbench.left_behind import clear_left_behind
from rkbench.units import printable

CHUNK_BYTES = 1 << 18


@dataclass(frozen=True)
class LocalFile:
    """A file with its SHA-256 in hex, its size, and what people call it."""

    path: Path
    sha256: str
    size_bytes: int
    label: str


def local_file(path: Path, label: str = "") -> LocalFile:
    """Return `path` with its digest and size, as they are in one reading; raises UsageError."""
    hasher, size = hashlib.sha256(), 0
    try:
        with path.open("rb", buffering=0) as stream:
            while chunk := stream.read(CHUNK_BYTES):
                hasher.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    return LocalFile(path, hasher.hexdigest(), size, printable(label or path.name))


def open_regular(path: Path) -> BinaryIO:
    """Open `path` for reading, without waiting for a writer; raises OSError for what is no regular file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise OSError(errno.EINVAL, "a folder, pipe or device, not a file")


def read_small(path: Path, limit_bytes: int) -> bytes:
    """Return what a regular file of at most `limit_bytes` holds; raises OSError."""
    with open_regular(path) as stream:
        data = stream.read(limit_bytes + 1)
    if len(data) > limit_bytes:
        raise OSError(errno.EFBIG, f"larger than {limit_bytes:,} bytes")
    return data


def cache_folder(kind: str) -> Path:
    """Return the folder of what is made here: `$XDG_CACHE_HOME` or `~/.cache`, then rkbench/host/KIND."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "rkbench/host" / kind


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that it is there whole or as it was before, its rights kept; raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    clear_left_behind(path.parent, f"{path.name}.")
    part = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        part.write_text(text, encoding="utf-8")
        if path.exists():
            shutil.copymode(path, part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
