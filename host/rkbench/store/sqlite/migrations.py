"""The schema of the store, and the steps from each older version to the next.

A store carries its version in SQLite's `user_version`. Steps are never edited once released: a new
schema is a new step at the end.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from rkbench.errors import StoreError
from rkbench.store.sqlite import history

#: `PRAGMA application_id`: "rkbe".
APPLICATION_ID = 0x726B6265

STEPS: tuple[tuple[str, ...], ...] = (
    # version 1: runs and their raw latencies
    (
        """CREATE TABLE runs (
            id TEXT PRIMARY KEY, push TEXT NOT NULL, started_at TEXT NOT NULL, board TEXT NOT NULL,
            soc TEXT, model TEXT NOT NULL, sha256 TEXT NOT NULL, simulated INTEGER NOT NULL,
            failed INTEGER NOT NULL, document TEXT NOT NULL)""",
        """CREATE TABLE latencies (
            run TEXT PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
            start_ns BLOB, duration_ns BLOB, block BLOB, warmup BLOB,
            set_inputs_ns BLOB, run_ns BLOB, get_outputs_ns BLOB)""",
        f"PRAGMA application_id = {APPLICATION_ID}",
    ),
    # version 2: sensor readings, partial runs, and indexes for `bench history`
    (
        "ALTER TABLE runs ADD COLUMN partial INTEGER NOT NULL DEFAULT 0",
        """CREATE TABLE readings (
            run TEXT PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE, document BLOB NOT NULL)""",
        "CREATE INDEX runs_by_time ON runs (started_at)",
        "CREATE INDEX runs_by_model ON runs (model, board)",
    ),
    # version 3: nights, their cells (a variant on a board by a plan) and gates, and accepted baselines
    (
        """CREATE TABLE nights (
            id TEXT PRIMARY KEY, suite TEXT NOT NULL, fingerprint TEXT NOT NULL, started_unix_s REAL NOT NULL,
            ended_unix_s REAL, document TEXT NOT NULL)""",
        """CREATE TABLE cells (
            night TEXT NOT NULL REFERENCES nights (id) ON DELETE CASCADE, position INTEGER NOT NULL,
            document TEXT NOT NULL, PRIMARY KEY (night, position)) WITHOUT ROWID""",
        """CREATE TABLE gates (
            night TEXT NOT NULL REFERENCES nights (id) ON DELETE CASCADE, suite TEXT NOT NULL,
            model TEXT NOT NULL, variant TEXT NOT NULL, board TEXT NOT NULL, plan TEXT NOT NULL,
            gate TEXT NOT NULL, state TEXT NOT NULL, simulated INTEGER NOT NULL, measured_unix_s REAL,
            PRIMARY KEY (night, variant, board, plan, gate)) WITHOUT ROWID""",
        """CREATE TABLE baselines (
            id INTEGER PRIMARY KEY AUTOINCREMENT, suite TEXT NOT NULL, variant TEXT NOT NULL,
            board TEXT NOT NULL, plan TEXT NOT NULL, simulated INTEGER NOT NULL, run TEXT NOT NULL,
            night TEXT NOT NULL, accepted_unix_s REAL NOT NULL, note TEXT NOT NULL)""",
        "CREATE INDEX nights_by_suite ON nights (suite, started_unix_s)",
    ),
    # version 4: the NPU's own time of each iteration, where the runtime tells
    ("ALTER TABLE latencies ADD COLUMN device_ns BLOB",),
    # version 5: a row of figures per run, filled by `history.complete`; `position` is the order of storing
    (
        """CREATE TABLE history (
            position INTEGER PRIMARY KEY AUTOINCREMENT,
            run TEXT NOT NULL UNIQUE REFERENCES runs (id) ON DELETE CASCADE, push TEXT NOT NULL,
            started_at TEXT NOT NULL, started_unix_s REAL, board TEXT NOT NULL, soc TEXT,
            variant TEXT NOT NULL, sha256 TEXT NOT NULL, runtime TEXT, runtime_version TEXT,
            driver_version TEXT, toolkit_version TEXT, agent_version TEXT, rkbench_version TEXT,
            core_mask TEXT, scenario TEXT, simulated INTEGER NOT NULL, partial INTEGER NOT NULL,
            failed INTEGER NOT NULL, failed_stage TEXT, verdict TEXT)""",
        """INSERT INTO history
            (run, push, started_at, board, soc, variant, sha256, simulated, partial, failed)
            SELECT id, push, started_at, board, soc, model, sha256, simulated, partial, failed
            FROM runs ORDER BY rowid""",
        "CREATE INDEX history_by_time ON history (started_at, run)",
        "DROP INDEX runs_by_time",
        "DROP INDEX runs_by_model",
    ),
    # version 6: the load of each iteration, and whether it is read
    ("ALTER TABLE latencies ADD COLUMN load BLOB", "ALTER TABLE latencies ADD COLUMN unread BLOB"),
    # version 7: how far a file lies from itself, per board and conditions
    (
        """CREATE TABLE noise_floors (
            id INTEGER PRIMARY KEY AUTOINCREMENT, board TEXT NOT NULL, conditions TEXT NOT NULL,
            document TEXT NOT NULL)""",
        "CREATE INDEX noise_floors_by_conditions ON noise_floors (board, conditions)",
    ),
    # version 8: which runs were measured beside another, as the baseline of a night
    ("ALTER TABLE history ADD COLUMN beside INTEGER NOT NULL DEFAULT 0",),
    # version 9: the night of each run, and what people call runs
    (
        "ALTER TABLE history ADD COLUMN night TEXT",
        """UPDATE history SET night =
            (SELECT cell.night FROM cells AS cell, json_each(cell.document, '$.runs') AS member
            WHERE member.value = history.run) WHERE EXISTS (SELECT 1 FROM cells)""",
        """CREATE TABLE tags (
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE, tag TEXT NOT NULL, note TEXT NOT NULL,
            tagged_unix_s REAL NOT NULL, PRIMARY KEY (tag, run))""",
        "CREATE INDEX history_by_unix_time ON history (started_unix_s)",
        "CREATE INDEX history_by_variant ON history (variant, started_at)",
    ),
    # version 10: what a million runs are asked by
    (
        "DROP INDEX history_by_variant",
        "CREATE INDEX history_by_variant ON history (variant, started_at, run, board, soc)",
        "CREATE INDEX history_by_sha256 ON history (sha256, started_at)",
        "CREATE INDEX history_by_night ON history (night) WHERE night IS NOT NULL",
        "CREATE INDEX tags_by_run ON tags (run)",
    ),
)

VERSION = len(STEPS)


def migrate(db: sqlite3.Connection, path: Path) -> None:
    """Bring the store to `VERSION` and its history to today's measures, all in one transaction.

    Raises StoreError for a store of a newer rkbench, or a database that is none of ours.
    """
    if _is_current(db):
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        _check(db, path)
        if not _is_current(db):  # another process may have done it meanwhile
            _bring_forward(db)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _is_current(db: sqlite3.Connection) -> bool:
    return _version(db) == VERSION and _application(db) == APPLICATION_ID and history.is_complete(db)


def _bring_forward(db: sqlite3.Connection) -> None:
    for step in STEPS[_version(db) :]:
        for statement in step:
            db.execute(statement)
    history.complete(db)
    db.execute(f"PRAGMA user_version = {VERSION}")


def _check(db: sqlite3.Connection, path: Path) -> None:
    version = _version(db)
    empty = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if _application(db) != APPLICATION_ID and not (version == 0 and empty):
        raise StoreError(
            f"{path} is a database, but no result store of rkbench", hint="choose another file: --store FILE"
        )
    if version > VERSION:
        raise StoreError(
            f"result store {path} has version {version}; this rkbench knows up to {VERSION}",
            hint="update rkbench, or choose another file: --store FILE",
        )


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _application(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA application_id").fetchone()[0])
