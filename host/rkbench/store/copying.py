"""A store taken into another, some runs at a time: what is there stays, so that it may be done again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from rkbench.errors import StoreError, StoreUnavailableError
from rkbench.results.collect import Collected
from rkbench.store.base import Store
from rkbench.store.sqlite.database import ANOTHER_BACKUP, explained
from rkbench.store.sqlite.store import connect_backup

#: Runs that are read, and written in one transaction, at once.
AT_ONCE = 50


@dataclass
class Copied:
    """What was taken in of another store, what was there already, and what could not be read."""

    runs: int = 0
    nights: int = 0
    tags: int = 0
    baselines: int = 0
    there: int = 0
    faults: list[str] = field(default_factory=list)


def take_in(
    source: Store,
    target: Store,
    *,
    accepted: bool = False,
    told: Callable[[int], None] = lambda _: None,
    at_once: int = AT_ONCE,
) -> Copied:
    """Take the runs of `source` into `target` in their order of storing, then nights, tags and noise floors.

    Accepted baselines are taken if `accepted`: they belong to the lab that accepted them. `told` hears now
    and then how many runs were looked at.
    """
    copied = Copied()
    seen = 0
    for ids in batches(source, at_once):
        known = target.known(ids)
        items = [item for run_id in ids if run_id not in known and (item := _read(source, run_id, copied))]
        if items:
            target.save_all(items)
        copied.runs += len(items)
        copied.there += len(known)
        seen += len(ids)
        told(seen)
    for night_id in reversed(source.nights()):
        copied.nights += _take_night(source, target, night_id, copied)
    _take_words(source, target, copied)
    if accepted:
        there = target.baselines()
        baselines = [baseline for baseline in source.baselines() if baseline not in there]
        target.accept(baselines)
        copied.baselines = len(baselines)
    return copied


def batches(store: Store, at_once: int = AT_ONCE) -> Iterator[list[str]]:
    """Yield the ids of all runs in their order of storing, some at a time."""
    after = 0
    while found := store.stored(after=after, limit=at_once):
        yield [run.run_id for run in found]
        after = found[-1].position


def whole_run(store: Store, run_id: str) -> Collected | None:
    """Return a run with all that is kept of it; None where it is not there. Raises DocumentError."""
    run = store.run(run_id)
    return None if run is None else Collected(run, store.latencies(run_id), tuple(store.readings(run_id)))


def copy_to_file(source: Store, target: Path) -> tuple[str, ...]:
    """Write a store to a file of SQLite, which appears once it is whole; return what could not be read."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with connect_backup(part, target) as store:
            copied = take_in(source, store, accepted=True, at_once=10 * AT_ONCE)
        with explained(target, ANOTHER_BACKUP):
            part.replace(target)
        return tuple(copied.faults)
    finally:
        for file in (part.with_name(part.name + suffix) for suffix in ("", "-wal", "-shm")):
            if file.exists():  # to unlink what is not there is an error on a disk that is read-only
                file.unlink()


def _read(source: Store, run_id: str, copied: Copied) -> Collected | None:
    try:
        return whole_run(source, run_id)
    except StoreUnavailableError:
        raise
    except StoreError as error:
        copied.faults.append(error.message)
        return None


def _take_night(source: Store, target: Store, night_id: str, copied: Copied) -> bool:
    """Take what `target` lacks of a night: all of it, what of one that did not end there, or nothing."""
    try:
        night, known = source.night(night_id), target.night(night_id)
    except StoreUnavailableError:
        raise
    except StoreError as error:
        copied.faults.append(error.message)
        return False
    if night is None or (known is not None and known.ended_unix_s is not None):
        return False
    # Its end goes last: who is stopped between goes on with a night that did not end.
    target.save_night(replace(night, cells=(), ended_unix_s=None))
    there = set(target.positions(night_id))
    for position, cell in zip(source.positions(night_id), night.cells, strict=True):
        if position not in there:
            target.save_cell(night, position, cell, [])
    if night.ended_unix_s is not None:
        target.save_night(replace(night, cells=()))
    return True


def _take_words(source: Store, target: Store, copied: Copied) -> None:
    """Take tags of runs that are there, and noise floors that are not."""
    tags = source.tags()
    known = target.known([item.run for item in tags])
    there = {(item.tag, item.run) for item in target.tags()}
    wanted = [item for item in tags if item.run in known and (item.tag, item.run) not in there]
    target.save_tags(wanted)
    copied.tags = len(wanted)
    for floor in source.noise_floors():
        if target.noise_floor(floor.board, floor.conditions) is None:
            target.save_noise_floor(floor)
