"""Every librknnrt.so of a board: where loaders look for it, and the version that its text states."""

from __future__ import annotations

import mmap
import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Dict, List, Optional

LIBRARY = "librknnrt.so"
#: Where loaders look, the usual places first.
LIBRARY_FOLDERS = (
    *("usr/lib", "usr/lib64", "usr/lib/aarch64-linux-gnu", "usr/local/lib", "lib", "lib64"),
    *("usr/lib/arm-linux-gnueabihf", "usr/local/lib64", "vendor/lib64", "oem/usr/lib", "opt/lib"),
)
#: Where RKNNLite's own loader looks.
LITE_FOLDERS = ("usr/lib", "usr/lib64", "usr/lib/aarch64-linux-gnu", "usr/local/lib")
_LIBRARY_VERSION = re.compile(rb"librknnrt version: (\d+(?:\.\d+)+)")


def find_libraries(root: Path) -> List[Path]:
    """Return every librknnrt.so where loaders look, each file once, the usual places first."""
    folders = [root / name for name in LIBRARY_FOLDERS]
    folders += [Path(name) for name in os.environ.get("LD_LIBRARY_PATH", "").split(":") if name]
    found: Dict[str, Path] = {}
    for folder in folders:
        path = folder / LIBRARY
        if path.exists() or path.is_symlink():
            found.setdefault(os.path.realpath(str(path)), path)
    return list(found.values())


def find_library(root: Path) -> Optional[Path]:
    """Return the first librknnrt.so where RKNNLite's loader looks for it."""
    for folder in LITE_FOLDERS:
        path = root / folder / LIBRARY
        if path.is_file():
            return path
    return None


def read_library_version(path: Path) -> Optional[str]:
    """Return the version that the text inside a librknnrt.so states, or None."""
    try:
        return _library_version(str(path), path.stat().st_mtime_ns)
    except OSError:
        return None


@lru_cache(maxsize=8)
def _library_version(path: str, changed_ns: int) -> Optional[str]:
    """Look through the whole library, megabytes that a small board reads slowly: once for each change."""
    del changed_ns
    try:
        with Path(path).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            found = _LIBRARY_VERSION.search(data)
            return found.group(1).decode("ascii") if found else None
    except (OSError, ValueError):
        return None
