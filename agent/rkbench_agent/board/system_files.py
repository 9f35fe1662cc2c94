"""Reads the small files of /proc and /sys. What cannot be read is None, and `SystemFiles` keeps why."""

from __future__ import annotations

import errno
import re
from pathlib import Path
from typing import List, NamedTuple, Optional

LIMIT_BYTES = 1 << 20
_NUMBER = re.compile(r"-?[0-9]{1,18}\Z")
_REFUSED = (errno.EACCES, errno.EPERM)


class Absence(NamedTuple):
    """Why a file tells nothing. `is_fault`: it is there and should, unlike one that sleeps or is root's."""

    path: Path
    reason: str
    is_fault: bool

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


NOT_THERE = "not there"


class SystemFiles:
    """The files of the board under `root`; `absences` are why those that were read told nothing."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.absences: List[Absence] = []

    def text(self, path: Path, *, is_root_only: bool = False) -> Optional[str]:
        """Return the text of `path`, without surrounding blanks and NULs, or None.

        A file that is not there or asleep, or refused where it is for root only, is no fault.
        """
        try:
            with path.open("rb") as file:
                data = file.read(LIMIT_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            self.absences.append(Absence(path, NOT_THERE, is_fault=False))
            return None
        except OSError as error:
            # EAGAIN is what a driver answers while its sensor sleeps.
            is_expected = error.errno == errno.EAGAIN or (is_root_only and error.errno in _REFUSED)
            self.absences.append(Absence(path, error.strerror or "cannot be read", not is_expected))
            return None
        return data.decode("utf-8", "replace").strip("\0 \t\r\n")

    def number(self, path: Path, *, is_root_only: bool = False) -> Optional[int]:
        """Return the whole number in `path`, or None as `text` does; anything else in it is a fault."""
        text = self.text(path, is_root_only=is_root_only)
        if text is None:
            return None
        if _NUMBER.match(text):
            return int(text)
        self.fault(path, f"no number: {text[:40]!r}")
        return None

    def fault(self, path: Path, reason: str) -> None:
        """Remember that something is wrong with `path`."""
        self.absences.append(Absence(path, reason, is_fault=True))

    @property
    def faults(self) -> List[str]:
        """What is wrong, in words."""
        return [str(absence) for absence in self.absences if absence.is_fault]

    def why(self) -> str:
        """Return the gravest reason in words: a fault, else a refusal, else that nothing is there.

        Of several that are as grave, the last: it knows what was tried before.
        """
        if not self.absences:
            return NOT_THERE
        latest = reversed(self.absences)
        return str(max(latest, key=lambda absence: (absence.is_fault, absence.reason != NOT_THERE)))


def read_text(path: Path) -> Optional[str]:
    """Return the text of a file without surrounding blanks and NULs, or None."""
    return SystemFiles(path).text(path)


def read_int(path: Path) -> Optional[int]:
    """Return the whole number that a file holds, or None."""
    return SystemFiles(path).number(path)


def find_devfreq(root: Path, name: str) -> Optional[Path]:
    """Return the devfreq folder of `name` (npu, gpu, dmc): `dmc`, `fdab0000.npu`, `fb000000.gpu-panthor`."""
    try:
        folders = sorted((root / "sys/class/devfreq").iterdir())
    except OSError:
        return None
    named = re.compile(rf"(?:.+\.)?{re.escape(name)}(?:-\w+)?")
    return next((folder for folder in folders if named.fullmatch(folder.name)), None)
