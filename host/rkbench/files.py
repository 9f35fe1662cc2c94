"""Files of this computer that boards are to have: each under its SHA-256."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from rkbench.errors import UsageError
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
