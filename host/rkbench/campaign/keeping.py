"""The whole of a store: checked, copied, and another one taken in."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rkbench.errors import NoStoreError, StoreError, StoreUnavailableError, UsageError
from rkbench.store import open_store
from rkbench.store.addresses import without_password
from rkbench.store.copying import Copied, batches, take_in, whole_run

#: Runs that go in one transaction.
PRUNED_AT_ONCE = 1000


@dataclass(frozen=True)
class StoreCheck:
    """What a store holds, and what is wrong with it, a line each."""

    address: str
    runs: int
    nights: int
    faults: tuple[str, ...]


def check_store(address: str | Path | None) -> StoreCheck:
    """Read everything in a store, and return what of it is damaged. Raises StoreError where there is none."""
    with open_store(address, create=False) as store:
        faults, runs, nights = store.faults(), 0, store.nights()
        for ids in batches(store):
            runs += len(ids)
            faults += [text for run_id in ids for text in _fault(partial(whole_run, store, run_id))]
        faults += [text for night_id in nights for text in _fault(partial(store.night, night_id))]
        return StoreCheck(store.address, runs, len(nights), tuple(faults))


def _fault(read: Callable[[], object]) -> Iterator[str]:
    try:
        if read() is None:
            yield "a row of the history without its run"
    except StoreUnavailableError:
        raise
    except StoreError as error:
        yield error.message


def backup_store(address: str | Path | None, target: Path) -> tuple[str, ...]:
    """Copy a store, as it is at one moment, to a file that is not there yet; others may write meanwhile.

    Returns what could not be read, and is not in the copy.
    """
    if target.exists():
        raise UsageError(f"{target} is there already", hint="choose another name: a backup replaces nothing")
    if not target.parent.is_dir():
        raise UsageError(f"{target}: no folder {target.parent}", hint="make it first")
    with open_store(address, create=False) as store:
        return store.backup(target)


@dataclass(frozen=True)
class Pruned:
    """What went from a store, or would go (`planned`): whole runs, or their raw latencies alone."""

    runs: int
    nights: int
    raw_only: bool
    planned: bool


def prune_store(
    address: str | Path | None,
    before_unix_s: float,
    *,
    raw_only: bool = False,
    planned: bool = False,
    told: Callable[[int], None] = lambda _: None,
) -> Pruned:
    """Remove the runs that started before a moment, some at a time; see `Store.prunable`."""
    runs = after = 0
    with open_store(address, create=False) as store:
        while found := store.prunable(before_unix_s, raw_only=raw_only, after=after, limit=PRUNED_AT_ONCE):
            after = found[-1].position
            if not planned:
                store.remove([run.run_id for run in found], raw_only=raw_only)
            runs += len(found)
            told(runs)
        nights = 0 if planned or raw_only else store.remove_nights(before_unix_s)
    return Pruned(runs, nights, raw_only, planned)


def copy_store(source: str, target: str, told: Callable[[int], None] = lambda _: None) -> Copied:
    """Copy the store `source` into `target`, with its baselines and noise floors; what is there stays."""
    if source == target:
        raise UsageError(f"{without_password(source)} is that store itself", hint="name two stores")
    with open_store(source, create=False) as other, open_store(target) as store:
        return take_in(other, store, accepted=True, told=told)


def import_store(address: str | Path | None, source: Path) -> Copied:
    """Take the runs, nights and tags of the store file `source` into a store; what is there stays as it is.

    The source is read from a copy: opened by itself, one of an older rkbench would be brought forward.
    Accepted baselines are not taken: they belong to the lab that accepted them.
    """
    if not source.is_file():
        raise NoStoreError(f"no result store at {source}", hint="name the file of a store")
    with tempfile.TemporaryDirectory(prefix="rkbench-import-") as folder:
        copy = Path(folder) / "source.sqlite"
        for suffix in ("", "-wal"):  # what the last writer has not moved into the file yet
            if (beside := source.with_name(source.name + suffix)).is_file():
                shutil.copyfile(beside, copy.with_name(copy.name + suffix))
        with open_store(copy, create=False) as other, open_store(address) as store:
            if Path(store.address).resolve() == source.resolve():
                raise UsageError(f"{source} is that store itself", hint="name another: --store FILE")
            return take_in(other, store)
