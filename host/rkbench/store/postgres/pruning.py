"""What goes from a store on a server: old runs, or their raw latencies, and nights without runs."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, exists, func, select
from sqlalchemy.dialects.postgresql import distinct_on

from rkbench.store.base import LatestRun
from rkbench.store.postgres.database import ServerDatabase
from rkbench.store.postgres.nights import BASELINE_KEY
from rkbench.store.postgres.tables import BASELINES, HISTORY, LATENCIES, NIGHTS, READINGS, RUNS, TAGS
from rkbench.store.postgres.words import cells_of


def select_prunable(
    server: ServerDatabase, before_unix_s: float, raw_only: bool, after: int, limit: int
) -> list[LatestRun]:
    """Return runs that may go; see `Store.prunable`."""
    in_force = select(BASELINES.c.run).ext(distinct_on(*BASELINE_KEY))
    kept = in_force.order_by(*BASELINE_KEY, BASELINES.c.id.desc()).subquery()
    running = exists().where(NIGHTS.c.id == HISTORY.c.night, NIGHTS.c.ended_unix_s.is_(None))
    wanted = [
        HISTORY.c.position > after,
        HISTORY.c.started_unix_s < before_unix_s,
        ~exists().where(TAGS.c.run == HISTORY.c.run),
        ~exists().where(kept.c.run == HISTORY.c.run),
        ~running,
    ]
    if raw_only:
        wanted.append(exists().where(LATENCIES.c.run == HISTORY.c.run))
    asked = select(HISTORY.c.position, HISTORY.c.run).where(*wanted)
    return [LatestRun(*row) for row in server.rows(asked.order_by(HISTORY.c.position).limit(limit))]


def delete_runs(server: ServerDatabase, ids: Sequence[str], *, raw_only: bool) -> None:
    """Remove runs with all that belongs to them, or only their latencies and readings."""
    with server.transaction() as connection:
        if raw_only:
            for table in (LATENCIES, READINGS):
                connection.execute(delete(table).where(table.c.run == func.any(cells_of(ids))))
        else:
            connection.execute(delete(RUNS).where(RUNS.c.id == func.any(cells_of(ids))))


def delete_nights(server: ServerDatabase, before_unix_s: float) -> int:
    """Remove nights begun before that moment of which no run is left."""
    empty = ~exists().where(HISTORY.c.night == NIGHTS.c.id)
    ended = NIGHTS.c.ended_unix_s.is_not(None)
    with server.transaction() as connection:
        gone = delete(NIGHTS).where(NIGHTS.c.started_unix_s < before_unix_s, ended, empty)
        return connection.execute(gone).rowcount
