"""The whole of a store: checked, copied, and another one taken in."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rkbench.errors import StoreError, UsageError
from rkbench.results.collect import Collected
from rkbench.results.night import CellResult
from rkbench.store import Store, open_store


@dataclass(frozen=True)
class StoreCheck:
    """What a store holds, and what is wrong with it, a line each."""

    address: str
    runs: int
    nights: int
    faults: tuple[str, ...]


@dataclass(frozen=True)
class Imported:
    """What was taken in of another store, what was there already, and what could not be read."""

    runs: int
    nights: int
    tags: int
    there: int
    faults: tuple[str, ...]


def check_store(address: str | Path | None) -> StoreCheck:
    """Read everything in a store, and return what of it is damaged. Raises StoreError where there is none."""
    with open_store(address, create=False) as store:
        ids = [row.run for row in store.history()]
        nights = store.nights()
        return StoreCheck(store.address, len(ids), len(nights), tuple(_faults(store, ids, nights)))


def _faults(store: Store, runs: list[str], nights: list[str]) -> Iterator[str]:
    yield from store.faults()
    for run_id in runs:
        yield from _fault(partial(_whole, store, run_id))
    for night_id in nights:
        yield from _fault(partial(store.night, night_id))


def _whole(store: Store, run_id: str) -> Collected | None:
    run = store.run(run_id)
    return None if run is None else Collected(run, store.latencies(run_id), tuple(store.readings(run_id)))


def _fault(read: Callable[[], object]) -> Iterator[str]:
    try:
        if read() is None:
            yield "a row of the history without its run"
    except StoreError as error:
        yield error.message


def backup_store(address: str | Path | None, target: Path) -> None:
    """Copy a store, as it is at one moment, to a file that is not there yet; others may write meanwhile."""
    if target.exists():
        raise UsageError(f"{target} is there already", hint="choose another name: a backup replaces nothing")
    if not target.parent.is_dir():
        raise UsageError(f"{target}: no folder {target.parent}", hint="make it first")
    with open_store(address, create=False) as store:
        store.backup(target)


def import_store(address: str | Path | None, source: Path) -> Imported:
    """Take the runs, nights and tags of the store file `source` into a store; what is there stays as it is.

    The source is read from a copy: opened by itself, one of an older rkbench would be brought forward.
    Accepted baselines are not taken: they belong to the lab that accepted them.
    """
    if not source.is_file():
        raise StoreError(f"no result store at {source}", hint="name the file of a store")
    with tempfile.TemporaryDirectory(prefix="rkbench-import-") as folder:
        copy = Path(folder) / "source.sqlite"
        for suffix in ("", "-wal"):  # what the last writer has not moved into the file yet
            if (beside := source.with_name(source.name + suffix)).is_file():
                shutil.copyfile(beside, copy.with_name(copy.name + suffix))
        with open_store(copy, create=False) as other, open_store(address) as store:
            if Path(store.address).resolve() == source.resolve():
                raise UsageError(f"{source} is that store itself", hint="name another: --store FILE")
            return _Import(other, store).run()


class _Import:
    def __init__(self, source: Store, store: Store) -> None:
        self._source, self._store = source, store
        self._runs = 0
        self._faults: list[str] = []

    def run(self) -> Imported:
        """Take everything in: nights with their runs, then the runs of none, the oldest first; tags."""
        known = {row.run for row in self._store.history()}
        before = frozenset(known)
        nights = sum(self._take_night(night_id, known) for night_id in self._source.nights()[::-1])
        runs = [row.run for row in self._source.history()[::-1]]
        for run_id in runs:
            self._take_run(run_id, known)
        there = len(before.intersection(runs))
        tags = [item for item in self._source.tags() if item.run in known]
        self._store.save_tags(tags)
        return Imported(self._runs, nights, len(tags), there, tuple(self._faults))

    def _take_night(self, night_id: str, known: set[str]) -> bool:
        if night_id in self._store.nights():
            return False
        try:
            night = self._source.night(night_id)
        except StoreError as error:
            self._faults.append(error.message)
            return False
        if night is None:
            return False
        self._store.save_night(night)
        for position, cell in enumerate(night.cells):
            self._store.save_cell(night, position, cell, self._runs_of(cell, known))
        return True

    def _runs_of(self, cell: CellResult, known: set[str]) -> list[Collected]:
        found = [item for run_id in cell.runs if run_id not in known if (item := self._read(run_id))]
        known.update(item.run.id for item in found)
        self._runs += len(found)
        return found

    def _take_run(self, run_id: str, known: set[str]) -> None:
        if run_id not in known and (item := self._read(run_id)) is not None:
            self._store.save(item)
            known.add(run_id)
            self._runs += 1

    def _read(self, run_id: str) -> Collected | None:
        try:
            return _whole(self._source, run_id)
        except StoreError as error:
            self._faults.append(error.message)
            return None
