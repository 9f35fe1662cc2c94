"""Which files a pattern of a suite means."""

from __future__ import annotations

import errno
import os
from pathlib import Path

#: What Linux allows for one part of a path.
LONGEST_NAME_BYTES = 255


def expand(folder: Path, pattern: str) -> list[Path]:
    """Return the files that `pattern` means, sorted; an absolute pattern is one too.

    Raises OSError where a folder refuses to be read, or where there is too much to look through.
    """
    try:
        path = Path(pattern).expanduser()
        if path.is_absolute():
            folder, path = Path("/"), path.relative_to("/")
        if "**" in path.parts[:2] and folder.absolute() == Path("/"):
            raise OSError(errno.E2BIG, "the whole disk would be looked through")
        if any(
            _is_too_long(part) for part in path.parts
        ):  # from Python 3.12 on, glob finds nothing and is silent
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        return sorted(found for found in folder.glob(str(path)) if found.is_file())
    except (ValueError, IndexError, RuntimeError, NotImplementedError):
        return []  # `.`, `**x`, a user who is not there: no pattern of files


def _is_too_long(part: str) -> bool:
    return not set("*?[") & set(part) and len(os.fsencode(part)) > LONGEST_NAME_BYTES
