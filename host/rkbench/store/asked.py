"""What is asked of a history, whatever store answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

_MIN_DIGEST_CHARACTERS = 6
_AT_ONCE = 256


@dataclass(frozen=True)
class AskedRows:
    """Which rows are asked for, in the words of `Store.history`."""

    model: str | None
    board: str | None
    limit: int | None
    since_unix_s: float | None
    before_unix_s: float | None

    @property
    def digest(self) -> str | None:
        """What a SHA-256 may begin with; None where the model is no start of one."""
        name = self.model or ""
        return name if len(name) >= _MIN_DIGEST_CHARACTERS and set(name) <= set("0123456789abcdef") else None

    @property
    def behind_digest(self) -> str:
        """The first text behind all that begin with `digest`."""
        return f"{self.digest}g"


def distinct_pushes(newest: Callable[[int, int], list[str]], limit: int | None, skip: int) -> list[str]:
    """Return pushes by their newest runs: `newest` gives those of N runs behind M newer ones.

    What is asked for is nearly always among the first; a store may have a million.
    """
    found: dict[str, None] = {}
    behind, count = 0, _AT_ONCE
    while limit is None or len(found) < skip + limit:
        pushes = newest(count, behind)
        found.update(dict.fromkeys(pushes))
        if len(pushes) < count:
            break
        behind, count = behind + count, count * 4
    return list(found)[skip:][:limit]
