"""A check: one thing that was looked at, the verdict on it, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

OK = "ok"
WARN = "warn"
FAIL = "fail"
#: From best to worst.
VERDICTS = (OK, WARN, FAIL)


@dataclass(frozen=True)
class Check:
    """One line of the doctor.

    `code` is stable, for programs; `subject` and `found` are for people; `fix` is the exact command
    where there is one, and empty where nothing is to be done. `model` is the file that it is about;
    empty for the board itself.
    """

    code: str
    verdict: str
    subject: str
    found: str
    fix: str = ""
    model: str = ""


def worst(checks: Iterable[Check]) -> str:
    """Return the worst verdict; `ok` where there are no checks."""
    return max((check.verdict for check in checks), key=VERDICTS.index, default=OK)
