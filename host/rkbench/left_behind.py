"""Folders to work in that no killed process leaves for good: the next at the same place clears them.

Each has the number of its process and the name of its computer in its own name: a folder may be shared.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def working_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Yield a folder in `parent` that is gone afterwards; what killed processes left there goes now.

    Raises OSError where none can be made.
    """
    clear_left_behind(parent, prefix)
    folder = parent / f"{prefix}{os.getpid()}-{_computer()}-{os.urandom(4).hex()}"
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clear_left_behind(parent: Path, prefix: str) -> None:
    """Delete files and folders `PREFIXpid...` in `parent` whose process is no more; those of others stay."""
    named = re.compile(re.escape(prefix) + r"(\d+)(?:-(?:([\w.]+)-)?\w+)?(?:\.part)?")
    with suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            found = named.fullmatch(entry.name)
            if found is None or found[2] not in (None, _computer()) or _lives(int(found[1])):
                continue
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                with suppress(OSError):
                    Path(entry.path).unlink()


def _computer() -> str:
    return re.sub(r"[^\w.]", "_", os.uname().nodename)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # another user's
        return True
    return True
