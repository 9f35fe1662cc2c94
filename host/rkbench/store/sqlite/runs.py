"""Runs in SQLite: their documents, raw latencies (zlib, little-endian 64-bit integers) and readings."""

from __future__ import annotations

import json
import sqlite3
import sys
import zlib
from array import array
from collections.abc import Iterator
from typing import Any

from rkbench_agent.wire.board import Reading

from rkbench.decoding.documents import read_document
from rkbench.errors import DocumentError
from rkbench.results.collect import Collected
from rkbench.results.history import history_row
from rkbench.results.ids import fits
from rkbench.results.latencies import RawLatencies
from rkbench.results.model import RunResult
from rkbench.results.serialize import dump_run
from rkbench.store.documents import load_run
from rkbench.store.sqlite.database import Database
from rkbench.store.sqlite.history import insert_row
from rkbench.units import encodable

#: What an entry may hold unpacked: latencies of 16 million iterations.
LARGEST_ENTRY_BYTES = 128_000_000
PIECE_BYTES = 1 << 20
COLUMNS = tuple(RawLatencies.__dataclass_fields__)
#: The columns that every run has; the others may be empty.
NEEDED = ("start_ns", "duration_ns", "block", "warmup")


def insert_run(db: sqlite3.Connection, collected: Collected) -> None:
    """Write one run, its latencies, its readings and its row of the history, inside a transaction."""
    run = collected.run
    columns = {
        "id": run.id,
        "push": run.push,
        "started_at": run.started_at,
        "board": run.board.name,
        "soc": run.board.soc,
        "model": run.variant.name,
        "sha256": run.variant.sha256,
        "simulated": run.simulated,
        "partial": run.partial,
        "failed": run.failure is not None,
        "document": dump_run(run),
    }
    db.execute(
        f"INSERT INTO runs ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
        tuple(encodable(value) if isinstance(value, str) else value for value in columns.values()),
    )
    insert_row(db, history_row(run))
    db.execute(
        f"INSERT INTO latencies (run, {', '.join(COLUMNS)}) VALUES (?{', ?' * len(COLUMNS)})",
        (run.id, *(_pack(getattr(collected.latencies, name)) for name in COLUMNS)),
    )
    readings = json.dumps([vars(reading) for reading in collected.readings]).encode()
    db.execute("INSERT INTO readings VALUES (?, ?)", (run.id, zlib.compress(readings)))


def select_run(database: Database, run_id: str) -> RunResult | None:
    """Return the run of this id."""
    row = database.row("SELECT document FROM runs WHERE id = ?", (run_id,))
    return load_run(row[0], run_id) if row else None


def select_fitting(database: Database, name: str) -> list[str]:
    """Return the ids of the runs that `name` fits, sorted."""
    return [
        run_id
        for (run_id,) in database.rows("SELECT CAST(id AS TEXT) FROM runs ORDER BY id")
        if fits(name, run_id)
    ]


def select_latencies(database: Database, run_id: str) -> RawLatencies:
    """Return the raw latencies of a run; empty where none were taken."""
    row = database.row(f"SELECT {', '.join(COLUMNS)} FROM latencies WHERE run = ?", (run_id,))
    what = f"the latencies of the stored run {run_id}"
    if row is None:
        return RawLatencies()
    blobs = dict(zip(COLUMNS, row, strict=True))
    # No column is unpacked further than the first one goes: a damaged one may claim any length.
    count = len(_unpack(blobs["duration_ns"], what, LARGEST_ENTRY_BYTES))
    columns = {name: _unpack(blob, what, count * 8 + 1) for name, blob in blobs.items()}
    if any(len(column) != count for name, column in columns.items() if column or name in NEEDED):
        raise _damaged(what, "columns of different lengths")
    return RawLatencies(**columns)


def select_readings(database: Database, run_id: str) -> list[Reading]:
    """Return the sensor readings of a run; empty for runs of an rkbench that kept none."""
    row = database.row("SELECT document FROM readings WHERE run = ?", (run_id,))
    what = f"the readings of the stored run {run_id}"
    return read_document(list[Reading], b"".join(_inflated(row[0], what)) if row else b"[]", what)


def _pack(column: array[int]) -> bytes | None:
    """Return the compressed little-endian bytes of a column; None where it is empty."""
    if not column:
        return None
    copy = array("q", column)
    if sys.byteorder == "big":
        copy.byteswap()
    return zlib.compress(copy.tobytes(), 6)


def _unpack(blob: Any, what: str, most_bytes: int) -> array[int]:
    """Return the numbers of a column; raises DocumentError where there are more than `most_bytes` of them."""
    column = array("q")
    if blob is None:
        return column
    rest = b""
    for piece in _inflated(blob, what, most_bytes):
        rest += piece
        whole = len(rest) // 8 * 8
        column.frombytes(rest[:whole])
        rest = rest[whole:]
    if rest:
        raise _damaged(what, "no whole numbers")
    if sys.byteorder == "big":
        column.byteswap()
    return column


def _inflated(blob: Any, what: str, most_bytes: int = LARGEST_ENTRY_BYTES) -> Iterator[bytes]:
    """Yield what an entry holds, in pieces; raises DocumentError for damage and beyond `most_bytes`."""
    stream = zlib.decompressobj()
    try:
        while not stream.eof and most_bytes > 0:
            piece = stream.decompress(blob, min(most_bytes, PIECE_BYTES))
            if not piece and not stream.eof and not stream.unconsumed_tail:
                break
            most_bytes -= len(piece)
            yield piece
            blob = stream.unconsumed_tail
    except (TypeError, zlib.error) as error:
        raise _damaged(what, str(error)) from error
    if not stream.eof:
        raise _damaged(what, "cut short, or larger than any run's")


def _damaged(what: str, why: str) -> DocumentError:
    return DocumentError(
        f"a damaged entry: {what}: {why}", hint="the others can be read; push that one again"
    )
