"""Tags and noise floors in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields

from sqlalchemy import delete, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert

from rkbench.decoding.documents import read_document
from rkbench.results.noise_floor import NoiseFloor
from rkbench.results.serialize import to_json
from rkbench.store.base import RunTag
from rkbench.store.postgres.database import ServerDatabase
from rkbench.store.postgres.tables import NOISE_FLOORS, TAGS
from rkbench.store.postgres.words import cells_of, without_nul
from rkbench.units import encodable

_TAG = [TAGS.c[field.name] for field in fields(RunTag)]


def insert_tags(server: ServerDatabase, tags: Sequence[RunTag]) -> None:
    """Write tags; the same tag of the same run takes the place of the old one."""
    with server.transaction() as connection:
        for item in tags:
            new = upsert(TAGS).values(_encodable(vars(item)))
            over = {name: new.excluded[name] for name in ("note", "tagged_unix_s")}
            connection.execute(new.on_conflict_do_update(index_elements=["tag", "run"], set_=over))


def delete_tag(server: ServerDatabase, tag: str, runs: Sequence[str]) -> int:
    """Take a tag from these runs, and return how many had it."""
    wanted = _encodable({"tag": tag})["tag"]
    with server.transaction() as connection:
        gone = delete(TAGS).where(TAGS.c.tag == wanted, TAGS.c.run == func.any(cells_of(runs)))
        return connection.execute(gone).rowcount


def select_tags(server: ServerDatabase, tag: str | None) -> list[RunTag]:
    """Return the tags of all runs, or what has this tag."""
    asked = select(*_TAG).order_by(TAGS.c.tag, TAGS.c.run)
    if tag is not None:
        asked = asked.where(TAGS.c.tag == _encodable({"tag": tag})["tag"])
    return [RunTag(*row) for row in server.rows(asked)]


def insert_floor(server: ServerDatabase, floor: NoiseFloor) -> None:
    """Write a floor; the older ones stay, and no longer count."""
    document = json.dumps(to_json(floor, encodable), ensure_ascii=False)
    values = {"board": floor.board, "conditions": _key(floor.conditions), "document": document}
    with server.transaction() as connection:
        connection.execute(insert(NOISE_FLOORS).values(_encodable(values)))


def select_floor(
    server: ServerDatabase, board: str, conditions: Mapping[str, str | None]
) -> NoiseFloor | None:
    """Return the floor kept last under these conditions; raises DocumentError where it is damaged."""
    wanted = _encodable({"board": board, "conditions": _key(conditions)})
    # Conditions may be longer than an index holds; their digest is indexed.
    row = server.row(
        select(NOISE_FLOORS.c.document)
        .where(
            NOISE_FLOORS.c.board == wanted["board"],
            func.md5(NOISE_FLOORS.c.conditions) == func.md5(wanted["conditions"]),
            NOISE_FLOORS.c.conditions == wanted["conditions"],
        )
        .order_by(NOISE_FLOORS.c.id.desc())
        .limit(1)
    )
    return read_document(NoiseFloor, row[0], f"the noise floor of {board}") if row else None


def select_floors(server: ServerDatabase) -> list[NoiseFloor]:
    """Return all floors in force, in the order in which they were kept."""
    newest = select(func.max(NOISE_FLOORS.c.id)).group_by(NOISE_FLOORS.c.board, NOISE_FLOORS.c.conditions)
    asked = select(NOISE_FLOORS.c.document).where(NOISE_FLOORS.c.id.in_(newest)).order_by(NOISE_FLOORS.c.id)
    return [read_document(NoiseFloor, text, "a noise floor") for (text,) in server.rows(asked)]


def _key(conditions: Mapping[str, str | None]) -> str:
    return json.dumps(to_json(conditions, encodable), sort_keys=True, ensure_ascii=False)


def _encodable(columns: Mapping[str, object]) -> dict[str, object]:
    return without_nul(
        {name: encodable(value) if isinstance(value, str) else value for name, value in columns.items()}
    )
