"""Reads sensor files strictly: a file that is there but cannot be read, or makes no sense, is a fault."""

from __future__ import annotations

import errno
import re
from pathlib import Path
from typing import List, Optional

from rkbench_agent.board.system_files import LIMIT_BYTES

#: What a driver answers while its sensor sleeps: no reading, and no fault either.
_ASLEEP = (errno.EAGAIN,)
_REFUSED = (errno.EACCES, errno.EPERM)
_NUMBER = re.compile(r"-?[0-9]{1,18}\Z")


class Files:
    """The files of the board under `root`, with the faults that reading them brought."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.faults: List[str] = []

    def text(self, path: Path, *, is_root_only: bool = False) -> Optional[str]:
        """Return the text of `path`, trimmed; None where it is absent, asleep or unreadable (a fault).

        Being refused a file that is for root only is no fault.
        """
        try:
            with path.open("rb") as file:
                data = file.read(LIMIT_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            is_expected = error.errno in _ASLEEP or (is_root_only and error.errno in _REFUSED)
            if not is_expected:
                self.fault(path, error.strerror or "cannot be read")
            return None
        return data.decode("utf-8", "replace").strip("\0 \t\r\n")

    def number(self, path: Path) -> Optional[int]:
        """Return the whole number in `path`, or None as `text` does; anything else in it is a fault."""
        text = self.text(path)
        if text is None:
            return None
        if _NUMBER.match(text):
            return int(text)
        self.fault(path, f"no number: {text[:40]!r}")
        return None

    def fault(self, path: Path, words: str) -> None:
        """Remember that something is wrong with `path`."""
        self.faults.append(f"{path}: {words}")
