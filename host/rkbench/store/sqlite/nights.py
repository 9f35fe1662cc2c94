"""Nights, their cells and gates, and baselines in SQLite."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields, replace

from rkbench.decoding.documents import read_document
from rkbench.results.collect import Collected
from rkbench.results.ids import fits
from rkbench.results.night import CellResult, Night
from rkbench.results.serialize import to_json
from rkbench.store.base import Baseline, GateState
from rkbench.store.sqlite.columns import read_row
from rkbench.store.sqlite.database import Database
from rkbench.store.sqlite.runs import insert_run
from rkbench.units import encodable

_BASELINE = ", ".join(field.name for field in fields(Baseline))
_GATE = ", ".join(field.name for field in fields(GateState))


def save_night(database: Database, night: Night) -> None:
    """Write what is known of a night but its cells."""
    columns = {
        "id": night.id,
        "suite": night.suite,
        "fingerprint": night.fingerprint,
        "started_unix_s": night.started_unix_s,
        "ended_unix_s": night.ended_unix_s,
        "document": json.dumps(to_json(replace(night, cells=()), encodable)),
    }
    with database.transaction() as db:
        db.execute(
            f"INSERT INTO nights ({', '.join(columns)}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE"
            " SET ended_unix_s = excluded.ended_unix_s, document = excluded.document",
            tuple(columns.values()),
        )


def save_cell(
    database: Database, night: Night, position: int, cell: CellResult, runs: Sequence[Collected]
) -> None:
    """Write a cell with its runs and gates."""
    measured = (cell.simulated, cell.measured_unix_s)
    gates = [
        (night.id, night.suite, cell.model, *cell.key, gate.gate, gate.state, *measured)
        for gate in cell.gates
    ]
    with database.transaction() as db:
        for run in runs:
            insert_run(db, run)
        db.executemany(
            "UPDATE history SET night = ? WHERE run = ? AND night IS NULL",
            [(night.id, run_id) for run_id in cell.runs],
        )
        db.execute(
            "INSERT INTO cells VALUES (?, ?, ?)", (night.id, position, json.dumps(to_json(cell, encodable)))
        )
        db.executemany(f"INSERT INTO gates (night, {_GATE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", gates)


def select_night(database: Database, night_id: str) -> Night | None:
    """Return a night with the cells that it has."""
    row = database.row("SELECT document FROM nights WHERE id = ?", (night_id,))
    if row is None:
        return None
    cells = database.rows("SELECT document FROM cells WHERE night = ? ORDER BY position", (night_id,))
    night = read_document(Night, row[0], f"the stored night {night_id}")
    what = f"a cell of the stored night {night_id}"
    return replace(night, cells=tuple(read_document(CellResult, cell, what) for (cell,) in cells))


def select_positions(database: Database, night_id: str) -> list[int]:
    """Return the positions of a night's cells."""
    asked = "SELECT position FROM cells WHERE night = ? ORDER BY position"
    return [position for (position,) in database.rows(asked, (night_id,))]


def select_ids(database: Database, suite: str | None, limit: int | None) -> list[str]:
    """Return the ids of the nights (of a suite), those begun last first."""
    rows = database.rows(
        "SELECT id FROM nights WHERE ? IS NULL OR suite = ? ORDER BY rowid DESC LIMIT ?",
        (suite, suite, -1 if limit is None else limit),
    )
    return [night_id for (night_id,) in rows]


def select_fitting(database: Database, name: str) -> list[str]:
    """Return the ids of the nights that `name` fits, by their own id or that of a run, sorted."""
    pairs = database.rows(
        "SELECT id, id FROM nights UNION ALL"
        " SELECT night, run.value FROM cells, json_each(cells.document, '$.runs') AS run"
    )
    return sorted({night for night, known_as in pairs if fits(name, known_as)})


def select_gates(database: Database) -> list[GateState]:
    """Return the gates of the newest night that came to its end, of every suite."""
    rows = database.rows(
        f"SELECT {_GATE} FROM gates"
        " WHERE night IN (SELECT id FROM nights AS n WHERE ended_unix_s IS NOT NULL AND rowid ="
        " (SELECT max(rowid) FROM nights WHERE suite = n.suite AND ended_unix_s IS NOT NULL))"
        " ORDER BY suite, variant, board, plan, gate"
    )
    return [read_row(GateState, row) for row in rows]


def insert_baselines(database: Database, accepted: Sequence[Baseline]) -> None:
    """Write baselines; the older ones stay, and no longer count."""
    with database.transaction() as db:
        db.executemany(
            f"INSERT INTO baselines ({_BASELINE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [tuple(vars(baseline).values()) for baseline in accepted],
        )


def select_baselines(database: Database, suite: str | None) -> list[Baseline]:
    """Return the baselines in force."""
    rows = database.rows(
        f"SELECT {_BASELINE} FROM baselines"
        " WHERE id IN (SELECT max(id) FROM baselines GROUP BY suite, variant, board, plan, simulated)"
        " AND (? IS NULL OR suite = ?) ORDER BY suite, variant, board, plan",
        (suite, suite),
    )
    return [read_row(Baseline, row) for row in rows]
