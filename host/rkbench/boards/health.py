"""Boards that fail again and again are taken out, until they pass the doctor or somebody releases them.

What is known of a board's health lies in `bench.health.json` beside the inventory, so that all who share the
one share the other. A board that no inventory names has none.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from rkbench.boards.beside import KeptBeside
from rkbench.boards.model import Board
from rkbench.errors import BoardQuarantinedError
from rkbench.units import format_moment

#: A board that did not answer, or fell silent, so many times in a row is taken out.
MOST_FAULTS = 3
_log = logging.getLogger("rkbench.health")


@dataclass(frozen=True)
class Health:
    """What went wrong with a board since it last did well, the newest last; since when it is taken out."""

    faults: tuple[str, ...] = ()
    quarantined_unix_s: float | None = None


_KEPT = KeptBeside("bench.health.json", Health, Health(), "the health of boards", _log)


def health_of(board: Board) -> Health:
    """Return what is known of a board; one that never failed is well."""
    return _KEPT.of(board)


def taken_out(boards: Iterable[Board]) -> dict[str, Health]:
    """Return those of `boards` that are taken out, by their names."""
    return {name: health for name, health in _KEPT.of_all(boards) if health.quarantined_unix_s is not None}


def quarantine_words(health: Health) -> str:
    """Return since when and why a board is taken out."""
    since = format_moment(health.quarantined_unix_s or 0.0, "%Y-%m-%d %H:%M UTC")
    last = f", the last time: {health.faults[-1]}" if health.faults else ""
    return f"in quarantine since {since}: it failed {len(health.faults)} times in a row{last}"


def check_quarantine(board: Board) -> None:
    """Raise BoardQuarantinedError where a board is taken out."""
    health = health_of(board)
    if health.quarantined_unix_s is not None:
        raise BoardQuarantinedError(
            f"board {board.name!r} is {quarantine_words(health)}",
            hint=f"it comes back when it passes: bench boards check {board.name}\n"
            f"or at once: bench boards release {board.name}",
        )


def note_health(board: Board, fault: str | None, *, unix_s: Callable[[], float] = time.time) -> None:
    """Keep that a board failed, or (None) did well; the last of several faults in a row takes it out."""

    def changed(health: Health) -> Health:
        if fault is None:
            return Health() if health.quarantined_unix_s is None else health
        faults = (*health.faults, fault)[-MOST_FAULTS:]
        is_out = len(faults) == MOST_FAULTS
        since = health.quarantined_unix_s or (unix_s() if is_out else None)
        return replace(health, faults=faults, quarantined_unix_s=since)

    before, after = _KEPT.change(board, changed)
    if before.quarantined_unix_s is None and after.quarantined_unix_s is not None:
        _log.warning(
            "board %r failed %d times in a row and is taken out; back: bench boards release %s",
            board.name,
            len(after.faults),
            board.name,
        )


def release(board: Board) -> bool:
    """Let a board be used again, and return whether it was taken out."""
    before, _ = _KEPT.change(board, lambda _: Health())
    return before.quarantined_unix_s is not None


def health_file(inventory: Path) -> Path:
    """Return where the health of an inventory's boards is kept."""
    return _KEPT.file(inventory)
