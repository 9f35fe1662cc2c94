"""Runs in SQLite: their documents, raw latencies and readings."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from rkbench_agent.wire.board import Reading

from rkbench.results.collect import Collected
from rkbench.results.history import history_row
from rkbench.results.ids import fits
from rkbench.results.latencies import RawLatencies
from rkbench.results.model import RunResult
from rkbench.store.documents import load_run
from rkbench.store.packing import COLUMNS, pack_latencies, pack_readings, unpack_latencies, unpack_readings
from rkbench.store.rows import run_columns
from rkbench.store.sqlite.database import Database
from rkbench.store.sqlite.history import insert_row


def insert_run(db: sqlite3.Connection, collected: Collected) -> None:
    """Write one run, its latencies, its readings and its row of the history, inside a transaction."""
    run = collected.run
    columns = run_columns(run)
    db.execute(
        f"INSERT INTO runs ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
        tuple(columns.values()),
    )
    insert_row(db, history_row(run))
    db.execute(
        f"INSERT INTO latencies (run, {', '.join(COLUMNS)}) VALUES (?{', ?' * len(COLUMNS)})",
        (run.id, *pack_latencies(collected.latencies)),
    )
    db.execute("INSERT INTO readings VALUES (?, ?)", (run.id, pack_readings(collected.readings)))


def select_run(database: Database, run_id: str) -> RunResult | None:
    """Return the run of this id."""
    row = database.row("SELECT document FROM runs WHERE id = ?", (run_id,))
    return load_run(row[0], run_id) if row else None


def select_fitting(database: Database, name: str) -> list[str]:
    """Return the ids of the runs that `name` fits, sorted."""
    part = name.lower().partition("-")[0]
    if not part:
        return []
    # Whatever `name` is of an id, its first part stands in it; a million ids are looked through in SQLite.
    asked = "SELECT CAST(id AS TEXT) FROM runs WHERE instr(id, ?) > 0 ORDER BY id"
    return [run_id for (run_id,) in database.rows(asked, (part,)) if fits(name, run_id)]


def select_known(database: Database, ids: Sequence[str]) -> frozenset[str]:
    """Return which of these runs are there."""
    asked = "SELECT id FROM runs WHERE id IN (SELECT value FROM json_each(?))"
    return frozenset(run_id for (run_id,) in database.rows(asked, (json.dumps(list(ids)),)))


def select_latencies(database: Database, run_id: str) -> RawLatencies:
    """Return the raw latencies of a run; empty where none were taken."""
    row = database.row(f"SELECT {', '.join(COLUMNS)} FROM latencies WHERE run = ?", (run_id,))
    return unpack_latencies(row, run_id)


def select_readings(database: Database, run_id: str) -> list[Reading]:
    """Return the sensor readings of a run; empty for runs of an rkbench that kept none."""
    row = database.row("SELECT document FROM readings WHERE run = ?", (run_id,))
    return unpack_readings(row[0] if row else None, run_id)
