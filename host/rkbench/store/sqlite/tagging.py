"""Tags of runs in SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from rkbench.store.base import RunTag
from rkbench.store.sqlite.columns import read_row
from rkbench.store.sqlite.database import Database
from rkbench.units import encodable

_TAG = ", ".join(field.name for field in fields(RunTag))


def insert_tags(database: Database, tags: Sequence[RunTag]) -> None:
    """Write tags; the same tag of the same run takes the place of the old one."""
    with database.transaction() as db:
        db.executemany(
            f"INSERT OR REPLACE INTO tags ({_TAG}) VALUES (?, ?, ?, ?)",
            [(item.run, encodable(item.tag), encodable(item.note), item.tagged_unix_s) for item in tags],
        )


def delete_tag(database: Database, tag: str, runs: Sequence[str]) -> int:
    """Take a tag from these runs, and return how many had it."""
    with database.transaction() as db:
        return sum(
            db.execute("DELETE FROM tags WHERE tag = ? AND run = ?", (encodable(tag), run)).rowcount
            for run in runs
        )


def select_tags(database: Database, tag: str | None) -> list[RunTag]:
    """Return the tags of all runs, or what has this tag."""
    rows = database.rows(f"SELECT {_TAG} FROM tags WHERE ? IS NULL OR tag = ? ORDER BY tag, run", (tag, tag))
    return [read_row(RunTag, row) for row in rows]
