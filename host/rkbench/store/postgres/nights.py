"""Nights, their cells and gates, and baselines in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.dialects.postgresql import insert as upsert

from rkbench.decoding.documents import read_document
from rkbench.results.collect import Collected
from rkbench.results.ids import fits
from rkbench.results.night import CellResult, Night
from rkbench.results.serialize import to_json
from rkbench.store.base import Baseline, GateState
from rkbench.store.postgres.database import ServerDatabase
from rkbench.store.postgres.runs import insert_runs
from rkbench.store.postgres.tables import BASELINES, CELLS, GATES, HISTORY, NIGHTS
from rkbench.store.postgres.words import cells_of, without_nul
from rkbench.units import encodable

_GATE = [GATES.c[field.name] for field in fields(GateState)]
_BASELINE = [BASELINES.c[field.name] for field in fields(Baseline)]
BASELINE_KEY = (*(BASELINES.c[name] for name in ("suite", "variant", "board", "plan", "simulated")),)


def save_night(server: ServerDatabase, night: Night) -> None:
    """Write what is known of a night but its cells."""
    columns = {
        "id": night.id,
        "suite": night.suite,
        "fingerprint": night.fingerprint,
        "started_unix_s": night.started_unix_s,
        "ended_unix_s": night.ended_unix_s,
        "document": json.dumps(to_json(replace(night, cells=()), encodable)),
    }
    new = upsert(NIGHTS).values(without_nul(columns))
    over = {name: new.excluded[name] for name in ("ended_unix_s", "document")}
    with server.transaction() as connection:
        connection.execute(new.on_conflict_do_update(index_elements=["id"], set_=over))


def save_cell(
    server: ServerDatabase, night: Night, position: int, cell: CellResult, runs: Sequence[Collected]
) -> None:
    """Write a cell with its runs and gates."""
    named = GateState.__dataclass_fields__
    measured = (cell.simulated, cell.measured_unix_s)
    gates: list[dict[str, Any]] = [
        {
            "night": night.id,
            **without_nul(
                dict(
                    zip(
                        named,
                        (night.suite, cell.model, *cell.key, gate.gate, gate.state, *measured),
                        strict=True,
                    )
                )
            ),
        }
        for gate in cell.gates
    ]
    document = json.dumps(to_json(cell, encodable))
    with server.transaction() as connection:
        insert_runs(connection, runs, night.id)
        here = HISTORY.c.run == func.any(cells_of(cell.runs))
        connection.execute(update(HISTORY).where(here, HISTORY.c.night.is_(None)).values(night=night.id))
        connection.execute(
            insert(CELLS).values(night=night.id, position=position, runs=list(cell.runs), document=document)
        )
        if gates:
            connection.execute(insert(GATES), gates)


def select_night(server: ServerDatabase, night_id: str) -> Night | None:
    """Return a night with the cells that it has."""
    row = server.row(select(NIGHTS.c.document).where(NIGHTS.c.id == night_id))
    if row is None:
        return None
    asked = select(CELLS.c.document).where(CELLS.c.night == night_id).order_by(CELLS.c.position)
    what = f"a cell of the stored night {night_id}"
    cells = tuple(read_document(CellResult, cell, what) for (cell,) in server.rows(asked))
    return replace(read_document(Night, row[0], f"the stored night {night_id}"), cells=cells)


def select_positions(server: ServerDatabase, night_id: str) -> list[int]:
    """Return the positions of a night's cells."""
    asked = select(CELLS.c.position).where(CELLS.c.night == night_id).order_by(CELLS.c.position)
    return [position for (position,) in server.rows(asked)]


def select_ids(server: ServerDatabase, suite: str | None, limit: int | None) -> list[str]:
    """Return the ids of the nights (of a suite), those begun last first."""
    asked = select(NIGHTS.c.id).order_by(NIGHTS.c.position.desc()).limit(limit)
    if suite is not None:
        asked = asked.where(NIGHTS.c.suite == suite)
    return [night_id for (night_id,) in server.rows(asked)]


def select_fitting(server: ServerDatabase, name: str) -> list[str]:
    """Return the ids of the nights that `name` fits, by their own id or that of a run, sorted."""
    of_runs = select(CELLS.c.night, func.unnest(CELLS.c.runs))
    pairs = [*server.rows(select(NIGHTS.c.id, NIGHTS.c.id)), *server.rows(of_runs)]
    return sorted({night for night, known_as in pairs if fits(name, known_as)})


def select_gates(server: ServerDatabase) -> list[GateState]:
    """Return the gates of the newest night that came to its end, of every suite."""
    newest = (
        select(NIGHTS.c.id)
        .where(NIGHTS.c.ended_unix_s.is_not(None))
        .ext(distinct_on(NIGHTS.c.suite))
        .order_by(NIGHTS.c.suite, NIGHTS.c.position.desc())
    )
    order = [GATES.c[name] for name in ("suite", "variant", "board", "plan", "gate")]
    asked = select(*_GATE).where(GATES.c.night.in_(newest)).order_by(*order)
    return [GateState(*row) for row in server.rows(asked)]


def insert_baselines(server: ServerDatabase, accepted: Sequence[Baseline]) -> None:
    """Write baselines; the older ones stay, and no longer count."""
    if accepted:
        with server.transaction() as connection:
            connection.execute(insert(BASELINES), [without_nul(vars(baseline)) for baseline in accepted])


def select_baselines(server: ServerDatabase, suite: str | None) -> list[Baseline]:
    """Return the baselines in force."""
    asked = select(*_BASELINE).ext(distinct_on(*BASELINE_KEY)).order_by(*BASELINE_KEY, BASELINES.c.id.desc())
    if suite is not None:
        asked = asked.where(BASELINES.c.suite == suite)
    return [Baseline(*row) for row in server.rows(asked)]
