"""What cannot go to a server now: kept in a file of this computer until the server answers again.

The file is a store itself. Taking it in leaves out what is there, so that a run whose commit was never
answered is neither lost nor doubled; the file goes once all of it is in.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rkbench.errors import StoreError
from rkbench.results.collect import Collected
from rkbench.results.night import CellResult, Night
from rkbench.store.base import Store
from rkbench.store.copying import Copied, take_in
from rkbench.store.sqlite.store import SqliteStore, connect

#: How long another process of this computer is waited for, which writes there too.
WAIT_S = 10.0


class Spool:
    """The file in which results for the store at `address` wait, in `folder`."""

    def __init__(self, address: str, folder: Path) -> None:
        digest = hashlib.sha256(address.encode()).hexdigest()
        self.path = folder / f"{digest[:16]}.spool.sqlite"

    def is_waiting(self) -> bool:
        """Return whether something waits there."""
        return self.path.exists()

    def keep_runs(self, items: Sequence[Collected]) -> None:
        """Keep runs; raises StoreError where that cannot be done either."""
        self._keep(lambda store: store.save_all(items))

    def keep_night(self, night: Night) -> None:
        """Keep what is known of a night but its cells."""
        self._keep(lambda store: store.save_night(night))

    def keep_cell(self, night: Night, position: int, cell: CellResult, runs: Sequence[Collected]) -> None:
        """Keep a cell of a night with its runs."""

        def keep(store: SqliteStore) -> None:
            if store.night(night.id) is None:
                store.save_night(night)
            store.save_cell(night, position, cell, runs)

        self._keep(keep)

    def take_in(self, target: Store) -> Copied | None:
        """Take what waits into `target`, and return what it was; None where another process does so."""
        with self._locked(wait=False) as is_ours:
            if not is_ours or not self.is_waiting():
                return None
            with connect(str(self.path), wait_s=WAIT_S, create=False) as source:
                copied = take_in(source, target)
            if copied.faults:  # what is damaged stays, for people to look at
                self.path.replace(self.path.with_suffix(f".{os.getpid()}.damaged"))
            for suffix in ("", "-wal", "-shm"):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
            return copied

    def _keep(self, write: Callable[[SqliteStore], None]) -> None:
        with self._locked(wait=True), connect(str(self.path), wait_s=WAIT_S, create=True) as store:
            write(store)

    @contextmanager
    def _locked(self, *, wait: bool) -> Iterator[bool]:
        """Hold the file's lock, and yield whether it is held."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(
                f"{self.path.parent}: {error.strerror}",
                hint="let $XDG_DATA_HOME be a folder that can be written",
            ) from error
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
                return
            yield True
        finally:
            os.close(fd)
