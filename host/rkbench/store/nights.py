"""Nights and baselines in the store. A cell, its runs and its gates are written at once, or not at all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rkbench.borders.documents import read_document
from rkbench.errors import UsageError
from rkbench.runs.collect import Collected
from rkbench.runs.night import CellResult, Night
from rkbench.runs.serialize import to_json
from rkbench.store.sqlite import Store


@dataclass(frozen=True)
class Baseline:
    """A run that was accepted as what the nights to come are held against."""

    suite: str
    variant: str
    board: str
    plan: str
    simulated: bool
    run: str
    night: str
    accepted_unix_s: float
    note: str


def begin_night(store: Store, night: Night) -> None:
    """Write a night that begins."""
    with store.transaction() as db:
        db.execute(
            "INSERT INTO nights (id, suite, fingerprint, started_unix_s, document) VALUES (?, ?, ?, ?, ?)",
            (night.id, night.suite, night.fingerprint, night.started_unix_s, _dump(night)),
        )


def save_cell(store: Store, night: Night, position: int, cell: CellResult, runs: Sequence[Collected]) -> None:
    """Write a cell with its runs and gates."""
    measured = (cell.simulated, cell.measured_unix_s)
    with store.transaction() as db:
        for run in runs:
            store.insert(db, run)
        db.execute("INSERT INTO cells VALUES (?, ?, ?)", (night.id, position, json.dumps(to_json(cell))))
        db.executemany(
            "INSERT INTO gates VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (night.id, night.suite, cell.model, *cell.key, gate.gate, gate.state, *measured)
                for gate in cell.gates
            ],
        )


def save_night(store: Store, night: Night) -> None:
    """Write what is known of a night but its cells; with `ended_unix_s` it is over."""
    with store.transaction() as db:
        db.execute(
            "UPDATE nights SET ended_unix_s = ?, document = ? WHERE id = ?",
            (night.ended_unix_s, _dump(night), night.id),
        )


def load_night(store: Store, night_id: str) -> Night:
    """Return a night with the cells that it has; raises UsageError."""
    rows = store.query("SELECT document FROM nights WHERE id = ?", (night_id,))
    if not rows:
        raise UsageError(f"no night {night_id!r} in {store.path}", hint="bench nightly SUITE.toml")
    cells = store.query("SELECT document FROM cells WHERE night = ? ORDER BY position", (night_id,))
    night = read_document(Night, rows[0][0], f"the stored night {night_id}")
    what = f"a cell of the stored night {night_id}"
    return replace(night, cells=tuple(read_document(CellResult, row[0], what) for row in cells))


def positions(store: Store, night_id: str) -> set[int]:
    """Return the positions of the cells that a night has finished."""
    return {row[0] for row in store.query("SELECT position FROM cells WHERE night = ?", (night_id,))}


def unfinished_night(store: Store, suite: str, fingerprint: str) -> Night | None:
    """Return the newest night of this very suite, if it did not come to its end."""
    rows = store.query(
        "SELECT max(rowid), id, fingerprint, ended_unix_s FROM nights WHERE suite = ?", (suite,)
    )
    _, night_id, found, ended = rows[0]
    return load_night(store, night_id) if night_id and found == fingerprint and ended is None else None


def night_ids(store: Store, limit: int) -> list[str]:
    """Return the ids of the latest nights, newest first."""
    return [row[0] for row in store.query("SELECT id FROM nights ORDER BY rowid DESC LIMIT ?", (limit,))]


def find_night(store: Store, name: str) -> Night:
    """Return the night that `name` means: the start of its id or of a run of it, or `last`."""
    if name == "last":
        rows = store.query("SELECT id FROM nights ORDER BY rowid DESC LIMIT 1")
    else:
        key = name.lower()
        rows = store.query(
            "SELECT DISTINCT id FROM nights WHERE substr(id, 1, ?) = ?"
            " UNION SELECT night FROM cells, json_each(cells.document, '$.runs') AS run"
            " WHERE substr(run.value, 1, ?) = ?",
            (len(key), key, len(key), key),
        )
    if not name or not rows:
        raise UsageError(f"no night {name!r} in {store.path}", hint="run one: bench nightly SUITE.toml")
    if len(rows) > 1:
        nights = ", ".join(row[0] for row in rows[:4])
        raise UsageError(f"{name!r} fits several nights: {nights}", hint="give more of the id")
    return load_night(store, rows[0][0])


def accept(store: Store, accepted: Sequence[Baseline]) -> None:
    """Write baselines; the older ones stay, and no longer count."""
    with store.transaction() as db:
        db.executemany(
            "INSERT INTO baselines (suite, variant, board, plan, simulated, run, night, accepted_unix_s,"
            " note) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [tuple(vars(baseline).values()) for baseline in accepted],
        )


def baselines(store: Store, suite: str | None = None) -> list[Baseline]:
    """Return the baselines in force: the last accepted of each cell, real and simulated apart."""
    rows = store.query(
        "SELECT suite, variant, board, plan, simulated, run, night, accepted_unix_s, note FROM baselines"
        " WHERE id IN (SELECT max(id) FROM baselines GROUP BY suite, variant, board, plan, simulated)"
        " AND (? IS NULL OR suite = ?) ORDER BY suite, variant, board, plan",
        (suite, suite),
    )
    return [
        Baseline(suite, variant, board, plan, bool(simulated), run, night, unix_s, note)
        for suite, variant, board, plan, simulated, run, night, unix_s, note in rows
    ]


def _dump(night: Night) -> str:
    return json.dumps(to_json(replace(night, cells=())))
