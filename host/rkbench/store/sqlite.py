"""The result store: one SQLite file, a run saved in one transaction as it ends.

Documents are the JSON of `RunResult`; raw latencies lie beside them as zlib-compressed little-endian
64-bit integers, sensor readings as compressed JSON. `migrations.py` brings older files forward.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import zlib
from array import array
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rkbench_agent.wire.board import Reading

from rkbench.borders.documents import read_document
from rkbench.errors import StoreError, UsageError
from rkbench.runs.collect import Collected
from rkbench.runs.latencies import RawLatencies
from rkbench.runs.model import RunResult
from rkbench.runs.serialize import dump_run
from rkbench.store.documents import load_run
from rkbench.store.migrations import migrate

BUSY_TIMEOUT_S = 10.0
COLUMNS = tuple(RawLatencies.__dataclass_fields__)


def default_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Return $RKBENCH_STORE, or `rkbench/results.sqlite` in the user's data folder."""
    chosen = environ.get("RKBENCH_STORE")
    if chosen:
        return Path(chosen)
    data = environ.get("XDG_DATA_HOME") or str(Path.home() / ".local/share")
    return Path(data) / "rkbench" / "results.sqlite"


class Store:
    """An open store; a context manager. Every method raises StoreError where SQLite refuses."""

    def __init__(self, path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        self.path = path
        with _explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None)
        try:
            with _explained(path):
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = FULL")
                self._db.execute("PRAGMA foreign_keys = ON")
                migrate(self._db, path)
        except BaseException:
            self._db.close()
            raise

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; what was saved is on disk already."""
        self._db.close()

    def save(self, collected: Collected) -> None:
        """Write one run with its raw latencies and readings, or nothing of it."""
        with self.transaction() as db:
            self.insert(db, collected)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Yield the database inside one transaction, for the tables of other modules; all or nothing."""
        with _explained(self.path), self._transaction():
            yield self._db

    def query(self, sql: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query, for the tables of other modules."""
        with _explained(self.path):
            return self._db.execute(sql, values).fetchall()

    def insert(self, db: sqlite3.Connection, collected: Collected) -> None:
        """Write one run inside a `transaction`."""
        run = collected.run
        db.execute(
            "INSERT INTO runs (id, push, started_at, board, soc, model, sha256, simulated, partial,"
            " failed, document) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                run.id,
                run.push,
                run.started_at,
                run.board.name,
                run.board.soc,
                run.variant.name,
                run.variant.sha256,
                run.simulated,
                run.partial,
                run.failure is not None,
                dump_run(run),
            ),
        )
        db.execute(
            f"INSERT INTO latencies (run, {', '.join(COLUMNS)}) VALUES (?{', ?' * len(COLUMNS)})",
            (run.id, *(_pack(getattr(collected.latencies, name)) for name in COLUMNS)),
        )
        readings = json.dumps([vars(reading) for reading in collected.readings]).encode()
        db.execute("INSERT INTO readings VALUES (?, ?)", (run.id, zlib.compress(readings)))

    def run(self, prefix: str) -> RunResult:
        """Return the one run whose id starts with `prefix`; UsageError names the choice otherwise."""
        runs = self.find(prefix)
        if len(runs) > 1:
            raise UsageError(
                f"{prefix!r} fits {len(runs)} runs: {', '.join(run.id for run in runs[:4])} ...",
                hint="give more of the id: bench history",
            )
        return runs[0]

    def find(self, prefix: str) -> list[RunResult]:
        """Return the runs of one push, or one run, by the start of an id; `last` is the newest push.

        A prefix that fits runs of several pushes, or none, is a UsageError.
        """
        key = self._last_push() if prefix == "last" else prefix.lower()
        runs = self._select("id >= ? AND id < ? ORDER BY id", (key, key + "~"))
        if not key or not runs:
            raise UsageError(f"no run {prefix!r} in {self.path}", hint="list them: bench history")
        pushes = sorted({run.push for run in runs})
        if len(pushes) > 1:
            raise UsageError(
                f"{prefix!r} fits several pushes: {', '.join(pushes[:4])}",
                hint="give more of the id: bench history",
            )
        return runs

    def history(
        self, *, model: str | None = None, board: str | None = None, limit: int | None = None
    ) -> list[RunResult]:
        """Return runs, newest first. `model` is a variant's name or the start of its SHA-256; `board` a
        board's name or SoC."""
        where, values = ["1"], []
        if model is not None:
            where.append("(model = ? OR substr(sha256, 1, ?) = ?)")
            values += [model, max(len(model), 6), model]
        if board is not None:
            where.append("(board = ? OR soc = ?)")
            values += [board, board]
        order = "ORDER BY started_at DESC, id DESC LIMIT ?"
        return self._select(f"{' AND '.join(where)} {order}", (*values, -1 if limit is None else limit))

    def latencies(self, run_id: str) -> RawLatencies:
        """Return the raw latencies of a run; empty where none were taken."""
        with _explained(self.path):
            row = self._db.execute(
                f"SELECT {', '.join(COLUMNS)} FROM latencies WHERE run = ?", (run_id,)
            ).fetchone()
        return RawLatencies(*map(_unpack, row)) if row else RawLatencies()

    def readings(self, run_id: str) -> list[Reading]:
        """Return the sensor readings of a run; empty for runs of an rkbench that kept none."""
        with _explained(self.path):
            row = self._db.execute("SELECT document FROM readings WHERE run = ?", (run_id,)).fetchone()
            text = zlib.decompress(row[0]) if row else b"[]"
        return read_document(list[Reading], text, f"the readings of the stored run {run_id}")

    def _last_push(self) -> str:
        with _explained(self.path):
            row = self._db.execute(
                "SELECT push FROM runs ORDER BY started_at DESC, id DESC LIMIT 1"
            ).fetchone()
        return str(row[0]) if row else ""

    def _select(self, where: str, values: tuple[object, ...]) -> list[RunResult]:
        with _explained(self.path):
            rows = self._db.execute(f"SELECT document FROM runs WHERE {where}", values).fetchall()
        return [load_run(row[0]) for row in rows]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise


def _pack(column: array[int]) -> bytes | None:
    """Return the compressed little-endian bytes of a column; None where it is empty."""
    if not column:
        return None
    copy = array("q", column)
    if sys.byteorder == "big":
        copy.byteswap()
    return zlib.compress(copy.tobytes(), 6)


def _unpack(blob: bytes | None) -> array[int]:
    column = array("q")
    if blob:
        column.frombytes(zlib.decompress(blob))
        if sys.byteorder == "big":
            column.byteswap()
    return column


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system say into a StoreError with the next step."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"result store {path}: {error}", hint=_hint(error, path)) from error
    except zlib.error as error:
        raise StoreError(
            f"result store {path}: a damaged entry: {error}", hint=_CORRUPT.format(path)
        ) from error
    except OSError as error:
        raise StoreError(
            f"result store {path}: {error.strerror or error}", hint="choose another place: --store FILE"
        ) from error


_CORRUPT = (
    "it is no (intact) result store; keep what can be read: sqlite3 {0} .recover > rescued.sql\n"
    "or choose another file: --store FILE"
)


def _hint(error: sqlite3.Error, path: Path) -> str:
    name = getattr(error, "sqlite_errorname", "") or str(error).upper()
    if "BUSY" in name or "LOCKED" in name:
        return "another process is writing to it; wait, or choose another file: --store FILE"
    if "FULL" in name:
        return "the disk is full: make room, or choose another place: --store FILE"
    if "CORRUPT" in name or "NOTADB" in name or "MALFORMED" in name:
        return _CORRUPT.format(path)
    return "choose another place: --store FILE"
