"""One open SQLite file: transactions, rows, and what to do about an error."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from rkbench.errors import NoStoreError, StoreError
from rkbench.store.sqlite.migrations import migrate

Row = tuple[Any, ...]
LOOK_AGAIN_S = 0.02


#: What to do where the file of a backup cannot be written.
ANOTHER_BACKUP = "choose another place: bench store backup FILE"


class Database:
    """An open file of the newest schema. Raises StoreError where SQLite or the file system refuses.

    One that is to become the backup `backup` once it is whole says that of itself in its errors.
    """

    def __init__(self, path: Path, wait_s: float, *, create: bool, backup: Path | None = None) -> None:
        self.path = path
        self._backup = backup
        if not create:
            _check_present(path)
        with self._explained():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=wait_s, isolation_level=None)
        self._db.text_factory = _text
        try:
            with self._explained():
                _write_ahead(self._db, wait_s)
                self._db.execute("PRAGMA synchronous = FULL")
                self._db.execute("PRAGMA foreign_keys = ON")
                migrate(self._db, path)
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the file; what was committed is on disk already."""
        self._db.close()

    def faults(self) -> list[str]:
        """Return what SQLite's own check finds, and references to what is not there."""
        told = [str(text) for (text,) in self.rows("PRAGMA integrity_check (20)")]
        lost = self.rows("PRAGMA foreign_key_check")
        rows = [
            f"row {row} of {table} refers to a row of {parent} that is not there"
            for table, row, parent, *_ in lost
        ]
        return [text for text in told if text != "ok"] + rows[:20]

    def backup(self, target: Path) -> None:
        """Write a copy of one moment to `target`, which appears once it is whole."""
        with explained(target, ANOTHER_BACKUP):
            part = target.with_name(f".{target.name}.{os.getpid()}.part")
            try:
                with contextlib.closing(sqlite3.connect(part)) as copy:
                    self._db.backup(copy)
                part.replace(target)
            finally:
                if part.exists():
                    part.unlink()

    def _explained(self) -> AbstractContextManager[None]:
        return explained(self.path) if self._backup is None else explained(self._backup, ANOTHER_BACKUP)

    def identity(self) -> tuple[int, int]:
        """Return what changes when another file takes the place of this one."""
        with self._explained():
            status = os.stat(self.path)  # noqa: PTH116  # one call, no object
        return (status.st_dev, status.st_ino)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection inside one transaction: all or nothing."""
        with self._explained():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def rows(self, sql: str, values: tuple[object, ...] = ()) -> list[Row]:
        """Return the rows of a query."""
        with self._explained():
            return self._db.execute(sql, values).fetchall()

    def row(self, sql: str, values: tuple[object, ...] = ()) -> Row | None:
        """Return the first row of a query."""
        return next(iter(self.rows(sql, values)), None)


def _write_ahead(db: sqlite3.Connection, wait_s: float) -> None:
    """Turn write-ahead logging on; raises sqlite3.OperationalError where others hold the file for `wait_s`.

    SQLite does not wait by itself here: of two that open a new store at once, one was told that it is locked.
    """
    until = time.monotonic() + wait_s
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(LOOK_AGAIN_S)
        else:
            return


def _text(data: bytes) -> str:
    """Return a text of the file; one that is damaged must not hide the rows beside it."""
    return data.decode("utf-8", "backslashreplace")


@contextmanager
def explained(path: Path, elsewhere: str = "choose another place: --store FILE") -> Iterator[None]:
    """Turn what SQLite and the file system say into a StoreError with the next step; `elsewhere` is one."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"result store {path}: {error}", hint=_hint(error, path, elsewhere)) from error
    except UnicodeDecodeError as error:  # what SQLite says of a damaged schema may hold any byte of it
        raise StoreError(
            f"result store {path}: a damaged schema: {error}", hint=_CORRUPT.format(path)
        ) from error
    except zlib.error as error:
        raise StoreError(
            f"result store {path}: a damaged entry: {error}", hint=_CORRUPT.format(path)
        ) from error
    except OSError as error:
        raise StoreError(f"result store {path}: {error.strerror or error}", hint=elsewhere) from error


def _check_present(path: Path) -> None:
    try:
        path.stat()
    except OSError as error:
        raise NoStoreError(
            f"no result store at {path}: {error.strerror}",
            hint="push something first (bench push), or name it: --store FILE",
        ) from error


_CORRUPT = (
    "it is no (intact) result store; keep what can be read: sqlite3 {0} .recover > rescued.sql\n"
    "or choose another file: --store FILE"
)


def _hint(error: sqlite3.Error, path: Path, elsewhere: str) -> str:
    name = getattr(error, "sqlite_errorname", "") or str(error).upper()
    if "BUSY" in name or "LOCKED" in name:
        return "another process is writing to it; wait, or choose another file: --store FILE"
    if "FULL" in name or name == "SQLITE_IOERR_SHMSIZE":  # 32 kB beside the file, also for who only reads
        return f"the disk is full: make room, or {elsewhere}"
    if "CORRUPT" in name or "NOTADB" in name or "MALFORMED" in name:
        return _CORRUPT.format(path)
    return elsewhere
