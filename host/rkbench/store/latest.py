"""The latest run, and the latest successful run, of every variant on every board under every plan.

"Latest" is by the order in which runs were stored, so that a clock that jumps confuses nothing.
"""

from __future__ import annotations

from typing import NamedTuple

from rkbench.store.sqlite import Store


class ResultKey(NamedTuple):
    """What tells one series of results from another."""

    variant: str
    board: str
    runtime: str
    core_mask: str
    scenario: str
    simulated: bool


class LatestRun(NamedTuple):
    """A run by its id; a greater `position` was stored later."""

    position: int
    run_id: str


class Latest(NamedTuple):
    """The newest run of a key, and the newest that neither failed nor ended early (None: none yet)."""

    run: LatestRun
    success: LatestRun | None


_QUERY = """
SELECT max(rowid), id, model, board, json_extract(document, '$.plan.runtime') AS runtime,
  json_extract(document, '$.plan.core_mask') AS core_mask,
  json_extract(document, '$.plan.scenario') AS scenario, simulated
FROM runs WHERE rowid > ? AND simulated <= ? {}
GROUP BY model, board, runtime, core_mask, scenario, simulated
"""


def newest_position(store: Store) -> tuple[int, str]:
    """Return position and id of the run that was stored last; (0, "") without any. Raises StoreError."""
    rows = store.query("SELECT rowid, id FROM runs ORDER BY rowid DESC LIMIT 1")
    return (rows[0][0], rows[0][1]) if rows else (0, "")


def latest_runs(store: Store, *, after: int = 0, simulated: bool = False) -> dict[ResultKey, Latest]:
    """Return the latest runs among those stored after position `after`; simulated ones only if asked for.

    Raises StoreError.
    """
    found = _grouped(store, "", after, simulated)
    successes = _grouped(store, "AND failed = 0 AND partial = 0", after, simulated)
    return {key: Latest(run, successes.get(key)) for key, run in found.items()}


def _grouped(store: Store, condition: str, after: int, simulated: bool) -> dict[ResultKey, LatestRun]:
    rows = store.query(_QUERY.format(condition), (after, int(simulated)))
    return {
        ResultKey(
            model, board, runtime or "", core_mask or "", scenario or "", bool(is_simulated)
        ): LatestRun(position, run_id)
        for position, run_id, model, board, runtime, core_mask, scenario, is_simulated in rows
    }
