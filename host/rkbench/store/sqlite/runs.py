"""Runs in SQLite: their documents, raw latencies (zlib, little-endian 64-bit integers) and readings."""

from __future__ import annotations

import json
import sqlite3
import sys
import zlib
from array import array

from rkbench_agent.wire.board import Reading

from rkbench.decoding.documents import read_document
from rkbench.runs.collect import Collected
from rkbench.runs.history import history_row
from rkbench.runs.ids import fits
from rkbench.runs.latencies import RawLatencies
from rkbench.runs.model import RunResult
from rkbench.runs.serialize import dump_run
from rkbench.store.documents import load_run
from rkbench.store.sqlite.database import Database, explained
from rkbench.store.sqlite.history import insert_row
from rkbench.units import encodable

COLUMNS = tuple(RawLatencies.__dataclass_fields__)


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
    return load_run(row[0]) if row else None


def select_fitting(database: Database, name: str) -> list[str]:
    """Return the ids of the runs that `name` fits, sorted."""
    return [run_id for (run_id,) in database.rows("SELECT id FROM runs ORDER BY id") if fits(name, run_id)]


def select_latencies(database: Database, run_id: str) -> RawLatencies:
    """Return the raw latencies of a run; empty where none were taken."""
    row = database.row(f"SELECT {', '.join(COLUMNS)} FROM latencies WHERE run = ?", (run_id,))
    with explained(database.path):
        return RawLatencies(*map(_unpack, row)) if row else RawLatencies()


def select_readings(database: Database, run_id: str) -> list[Reading]:
    """Return the sensor readings of a run; empty for runs of an rkbench that kept none."""
    row = database.row("SELECT document FROM readings WHERE run = ?", (run_id,))
    with explained(database.path):
        text = zlib.decompress(row[0]) if row else b"[]"
    return read_document(list[Reading], text, f"the readings of the stored run {run_id}")


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
        try:
            column.frombytes(zlib.decompress(blob))
        except (TypeError, ValueError) as error:  # no blob, or no whole numbers
            raise zlib.error(error) from error
        if sys.byteorder == "big":
            column.byteswap()
    return column
