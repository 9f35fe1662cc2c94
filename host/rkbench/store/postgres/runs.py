"""Runs in PostgreSQL: their documents, raw latencies, readings and rows of the history."""

from __future__ import annotations

from collections.abc import Sequence

from rkbench_agent.wire.board import Reading
from sqlalchemy import Connection, false, func, insert, or_, select

from rkbench.results.collect import Collected
from rkbench.results.history import history_row
from rkbench.results.ids import fits
from rkbench.results.latencies import RawLatencies
from rkbench.results.model import RunResult
from rkbench.store.base import LatestRun
from rkbench.store.documents import load_run
from rkbench.store.packing import COLUMNS, pack_latencies, pack_readings, unpack_latencies, unpack_readings
from rkbench.store.postgres.database import ServerDatabase
from rkbench.store.postgres.tables import HISTORY, LATENCIES, READINGS, RUNS
from rkbench.store.postgres.words import cells_of, without_nul
from rkbench.store.rows import WRITTEN, history_columns, run_columns


def insert_runs(connection: Connection, items: Sequence[Collected], night: str | None = None) -> None:
    """Write runs, their latencies, readings and rows of the history, inside a transaction."""
    if not items:
        return
    connection.execute(insert(RUNS), [without_nul(run_columns(item.run)) for item in items])
    connection.execute(
        insert(HISTORY),
        [
            {
                **without_nul(dict(zip(WRITTEN, history_columns(history_row(item.run)), strict=True))),
                "night": night,
            }
            for item in items
        ],
    )
    connection.execute(
        insert(LATENCIES),
        [
            {"run": item.run.id, **dict(zip(COLUMNS, pack_latencies(item.latencies), strict=True))}
            for item in items
        ],
    )
    connection.execute(
        insert(READINGS), [{"run": item.run.id, "document": pack_readings(item.readings)} for item in items]
    )


def save_runs(server: ServerDatabase, items: Sequence[Collected]) -> None:
    """Write runs, all of them or none."""
    with server.transaction() as connection:
        insert_runs(connection, items)


def select_run(server: ServerDatabase, run_id: str) -> RunResult | None:
    """Return the run of this id."""
    row = server.row(select(RUNS.c.document).where(RUNS.c.id == run_id))
    return load_run(row[0], run_id) if row else None


def select_fitting(server: ServerDatabase, name: str) -> list[str]:
    """Return the ids of the runs that `name` fits, sorted."""
    small = without_nul({"name": name.lower()})["name"]
    push = str(small).partition("-")[0]
    asked = select(RUNS.c.id).where(
        or_(
            RUNS.c.id.startswith(small, autoescape=True),
            RUNS.c.push.endswith(push, autoescape=True) if push else false(),
        )
    )
    return [run_id for (run_id,) in server.rows(asked.order_by(RUNS.c.id)) if fits(name, run_id)]


def select_known(server: ServerDatabase, ids: Sequence[str]) -> frozenset[str]:
    """Return which of these runs are there."""
    asked = select(RUNS.c.id).where(RUNS.c.id == func.any(cells_of(ids)))
    return frozenset(run_id for (run_id,) in server.rows(asked))


def select_stored(server: ServerDatabase, after: int, limit: int) -> list[LatestRun]:
    """Return runs in the order of storing, those behind position `after`."""
    asked = select(HISTORY.c.position, HISTORY.c.run).where(HISTORY.c.position > after)
    return [LatestRun(*row) for row in server.rows(asked.order_by(HISTORY.c.position).limit(limit))]


def select_latencies(server: ServerDatabase, run_id: str) -> RawLatencies:
    """Return the raw latencies of a run; empty where none were taken."""
    columns = [LATENCIES.c[name] for name in COLUMNS]
    row = server.row(select(*columns).where(LATENCIES.c.run == run_id))
    return unpack_latencies(tuple(row) if row else None, run_id)


def select_readings(server: ServerDatabase, run_id: str) -> list[Reading]:
    """Return the sensor readings of a run; empty where none were kept."""
    row = server.row(select(READINGS.c.document).where(READINGS.c.run == run_id))
    return unpack_readings(row[0] if row else None, run_id)
