"""Boards that fail again and again are taken out, until they pass the doctor or somebody releases them.

What is known of a board's health lies in `bench.health.json` beside the inventory, so that all who share the
one share the other. A board that no inventory names has none.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from rkbench.boards.model import Board
from rkbench.decoding.documents import read_document
from rkbench.errors import BenchError, BoardQuarantinedError
from rkbench.files import write_whole

#: A board that did not answer, or fell silent, so many times in a row is taken out.
MOST_FAULTS = 3
#: The file beside an inventory that a board of it has, and no other.
KNOWN_HOSTS = "bench.known_hosts"
_FILE = "bench.health.json"
_log = logging.getLogger("rkbench.health")


@dataclass(frozen=True)
class Health:
    """What went wrong with a board since it last did well, the newest last; since when it is taken out."""

    faults: tuple[str, ...] = ()
    quarantined_unix_s: float | None = None


def health_of(board: Board) -> Health:
    """Return what is known of a board; one that never failed is well."""
    path = _path(board)
    return _read(path).get(board.name, Health()) if path is not None else Health()


def taken_out(boards: Iterable[Board]) -> dict[str, Health]:
    """Return those of `boards` that are taken out, by their names; each file of health is read once."""
    files: dict[Path, dict[str, Health]] = {}
    found: dict[str, Health] = {}
    for board in boards:
        path = _path(board)
        if path is None:
            continue
        if path not in files:
            files[path] = _read(path)
        health = files[path].get(board.name, Health())
        if health.quarantined_unix_s is not None:
            found[board.name] = health
    return found


def quarantine_words(health: Health) -> str:
    """Return since when and why a board is taken out."""
    since = datetime.fromtimestamp(health.quarantined_unix_s or 0.0, timezone.utc)
    last = f", the last time: {health.faults[-1]}" if health.faults else ""
    return (
        f"in quarantine since {since:%Y-%m-%d %H:%M UTC}: it failed {len(health.faults)} times in a row{last}"
    )


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

    before, after = _change(board, changed)
    if before.quarantined_unix_s is None and after.quarantined_unix_s is not None:
        _log.warning(
            "board %r failed %d times in a row and is taken out; back: bench boards release %s",
            board.name,
            len(after.faults),
            board.name,
        )


def release(board: Board) -> bool:
    """Let a board be used again, and return whether it was taken out."""
    before, _ = _change(board, lambda _: Health())
    return before.quarantined_unix_s is not None


def health_file(inventory: Path) -> Path:
    """Return where the health of an inventory's boards is kept."""
    return inventory.with_name(_FILE)


def _path(board: Board) -> Path | None:
    if set(board.name) & set("@:"):  # an address, a place of labgrid: no inventory names it
        return None
    beside = [path for path in board.known_hosts_files if path.name == KNOWN_HOSTS]
    return beside[0].with_name(_FILE) if beside else None


def _change(board: Board, changed: Callable[[Health], Health]) -> tuple[Health, Health]:
    """Change what is known of a board, and return it before and after; of one that is not kept nothing."""
    path = _path(board)
    if path is None:
        return Health(), Health()
    try:
        with _locked(path):
            known = _read(path)
            before = known.get(board.name, Health())
            after = changed(before)
            if after != before:
                rest = {name: health for name, health in known.items() if name != board.name}
                told = rest if after == Health() else {**rest, board.name: after}
                write_whole(
                    path, json.dumps({name: asdict(health) for name, health in told.items()}, indent=1)
                )
            return before, after
    except OSError as error:
        _log.info("the health of board %r is not kept: %s: %s", board.name, path, error.strerror)
        return Health(), Health()


def _read(path: Path) -> dict[str, Health]:
    """Return what the file says; what cannot be read takes no board out."""
    try:
        return read_document(dict[str, Health], path.read_bytes(), str(path))
    except FileNotFoundError:
        return {}
    except (OSError, BenchError) as error:
        _log.warning("the health of boards cannot be read: %s", error)
        return {}


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    fd = os.open(path.with_name(f".{_FILE}.lock"), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
