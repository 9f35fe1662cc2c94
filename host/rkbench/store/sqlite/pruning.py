"""What goes from a file: old runs, or their raw latencies, and nights of which nothing is left.

SQLite fills the room that they leave with what is written next; the file does not grow, and does not shrink.
"""

from __future__ import annotations

from collections.abc import Sequence

from rkbench.store.base import LatestRun
from rkbench.store.sqlite.database import Database

_KEPT = """
SELECT run FROM baselines
WHERE id IN (SELECT max(id) FROM baselines GROUP BY suite, variant, board, plan, simulated)
"""
_PRUNABLE = f"""
SELECT position, run FROM history AS h
WHERE position > ? AND started_unix_s < ?
AND NOT EXISTS (SELECT 1 FROM tags WHERE run = h.run) AND run NOT IN ({_KEPT})
AND NOT EXISTS (SELECT 1 FROM nights WHERE id = h.night AND ended_unix_s IS NULL)
AND (? = 0 OR EXISTS (SELECT 1 FROM latencies WHERE run = h.run))
ORDER BY position LIMIT ?
"""


def select_prunable(
    database: Database, before_unix_s: float, raw_only: bool, after: int, limit: int
) -> list[LatestRun]:
    """Return runs that may go; see `Store.prunable`."""
    rows = database.rows(_PRUNABLE, (after, before_unix_s, int(raw_only), limit))
    return [LatestRun(position, str(run)) for position, run in rows]


def delete_runs(database: Database, ids: Sequence[str], *, raw_only: bool) -> None:
    """Remove runs with all that belongs to them, or only their latencies and readings."""
    tables = {"latencies": "run", "readings": "run"} if raw_only else {"runs": "id"}
    with database.transaction() as db:
        for table, column in tables.items():
            db.executemany(f"DELETE FROM {table} WHERE {column} = ?", [(run_id,) for run_id in ids])


def delete_nights(database: Database, before_unix_s: float) -> int:
    """Remove nights begun before that moment of which no run is left."""
    with database.transaction() as db:
        return db.execute(
            "DELETE FROM nights WHERE started_unix_s < ? AND ended_unix_s IS NOT NULL"
            " AND id NOT IN (SELECT night FROM history WHERE night IS NOT NULL)",
            (before_unix_s,),
        ).rowcount
