"""Noise floors in SQLite: the last one kept under a board and its conditions counts."""

from __future__ import annotations

import json
from collections.abc import Mapping

from rkbench.decoding.documents import read_document
from rkbench.results.noise_floor import NoiseFloor
from rkbench.results.serialize import to_json
from rkbench.store.sqlite.database import Database
from rkbench.units import encodable


def insert_floor(database: Database, floor: NoiseFloor) -> None:
    """Write a floor; the older ones stay, and no longer count."""
    document = json.dumps(to_json(floor, encodable), ensure_ascii=False)
    values = (encodable(floor.board), _key(floor.conditions), document)
    with database.transaction() as db:
        db.execute("INSERT INTO noise_floors (board, conditions, document) VALUES (?, ?, ?)", values)


def select_floor(database: Database, board: str, conditions: Mapping[str, str | None]) -> NoiseFloor | None:
    """Return the floor kept last under these conditions; raises DocumentError where it is damaged."""
    row = database.row(
        "SELECT document FROM noise_floors WHERE board = ? AND conditions = ? ORDER BY id DESC LIMIT 1",
        (encodable(board), _key(conditions)),
    )
    if row is None:
        return None
    return _floor(row[0], f"the noise floor of {board}")


def select_floors(database: Database) -> list[NoiseFloor]:
    """Return all floors in force, in the order in which they were kept."""
    rows = database.rows(
        "SELECT document FROM noise_floors"
        " WHERE id IN (SELECT max(id) FROM noise_floors GROUP BY board, conditions) ORDER BY id"
    )
    return [_floor(row[0], "a noise floor") for row in rows]


def _floor(document: object, what: str) -> NoiseFloor:
    return read_document(
        NoiseFloor, document if isinstance(document, bytes) else str(document).encode(), what
    )


def _key(conditions: Mapping[str, str | None]) -> str:
    return json.dumps(to_json(conditions, encodable), sort_keys=True, ensure_ascii=False)
