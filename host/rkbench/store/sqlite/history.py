"""The table `history`: a row per run, a column per field of `HistoryRow` and per measure.

A new measure needs no step in `migrations.py`: `complete` adds its column when a store is opened, and fills
it from the documents at once, in the same transaction. NULL therefore always means unknown, never "not
looked up yet"; the price is one reading of all documents, once per store and new measure.
"""

from __future__ import annotations

import sqlite3

from rkbench.errors import StoreError
from rkbench.results.history import MEASURE_NAMES, HistoryRow, history_row
from rkbench.store.documents import load_run
from rkbench.store.rows import WRITTEN, history_columns

_QUOTED = tuple(f'"{name}"' for name in WRITTEN)
_INSERT = f"INSERT INTO history ({', '.join(_QUOTED)}) VALUES ({', '.join('?' * len(_QUOTED))})"
_UPDATE = f"UPDATE history SET ({', '.join(_QUOTED)}) = ({', '.join('?' * len(_QUOTED))}) WHERE run = ?"


def insert_row(db: sqlite3.Connection, row: HistoryRow) -> None:
    """Write the row of a run that is in `runs`, inside a transaction."""
    db.execute(_INSERT, history_columns(row))


def is_complete(db: sqlite3.Connection) -> bool:
    """Return whether the table has a column for every measure."""
    return not _missing(db)


def complete(db: sqlite3.Connection) -> None:
    """Add the columns of new measures, and fill every row from the document of its run.

    The row of a document that cannot be read keeps what it has: one bad entry must not hide the others.
    """
    for name in _missing(db):
        db.execute(f'ALTER TABLE history ADD COLUMN "{name}" REAL')
    for run_id, document in db.execute("SELECT id, document FROM runs"):
        try:
            row = history_row(load_run(document, run_id))
        except StoreError:
            continue
        db.execute(_UPDATE, (*history_columns(row), run_id))


def _missing(db: sqlite3.Connection) -> list[str]:
    present = {row[1] for row in db.execute("PRAGMA table_info (history)")}
    return [name for name in MEASURE_NAMES if name not in present]
