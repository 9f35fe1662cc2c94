"""The folder of finished conversions: each is KEY.rknn with what belongs to it; what nobody finished goes."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from rkbench.errors import BenchError
from rkbench.files import cache_folder
from rkbench.left_behind import working_folder

LIMIT_BYTES = 20_000_000_000


def building() -> AbstractContextManager[Path]:
    """Return a folder to build in, in the folder of what is kept, as a context: it is gone afterwards.

    What a process that was killed left there goes now. Raises BenchError where there can be none.
    """
    return working_folder(kept_folder(), ".building-")


def kept_folder() -> Path:
    """Return the folder of finished conversions; raises BenchError where there can be none."""
    folder = cache_folder("conversions")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        hint = "set XDG_CACHE_HOME to a folder that can be written"
        raise BenchError(f"no folder for conversions: {folder}: {error.strerror}", hint=hint) from error
    return folder


@contextmanager
def alone(rknn: Path) -> Iterator[None]:
    """Hold a key against other conversions of the same, in this process and in others."""
    lock = rknn.with_suffix(".lock")
    while True:
        with lock.open("a") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            if _is_at(held.fileno(), lock):  # else it was evicted before it was had
                yield
                return


def _is_at(descriptor: int, path: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.fstat(descriptor).st_ino == path.stat().st_ino
    return False


def evict(keep: Path, limit_bytes: int = LIMIT_BYTES) -> None:
    """Delete the conversions unused for longest while the folder is over its limit; never `keep`.

    One that is in use by another process stays.
    """
    files = [(path, path.stat()) for path in keep.parent.iterdir() if path.is_file()]
    total = sum(stat.st_size for _, stat in files)
    for rknn, _ in sorted(
        ((path, stat) for path, stat in files if path.suffix == ".rknn" and path != keep),
        key=lambda each: each[1].st_mtime,
    ):
        if total <= limit_bytes:
            return
        own = [(path, stat) for path, stat in files if path.name.partition(".")[0] == rknn.stem]
        if _removed(rknn, [path for path, _ in own]):
            total -= sum(stat.st_size for _, stat in own)


def _removed(rknn: Path, own: list[Path]) -> bool:
    """Delete the files of a conversion, its lock last, unless somebody holds it; return whether it went."""
    lock = rknn.with_suffix(".lock")
    with lock.open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        for path in (*(path for path in own if path != lock), lock):
            path.unlink(missing_ok=True)
    return True
