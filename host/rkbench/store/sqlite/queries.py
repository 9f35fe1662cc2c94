"""What is asked of the table `history`: rows, the latest runs, and how far the store has come."""

from __future__ import annotations

from rkbench.runs.history import MEASURE_NAMES, HistoryRow
from rkbench.store.base import Latest, LatestRun, Mark, ResultKey
from rkbench.store.sqlite.columns import number, text
from rkbench.store.sqlite.database import Database, Row
from rkbench.store.sqlite.history import FIELDS

_ROW = ", ".join(f'"{name}"' for name in (*FIELDS, *MEASURE_NAMES))
_FLAGS = ("simulated", "partial", "failed", "beside")
_NUMBERS = (*_FLAGS, "started_unix_s")
_LATEST = """
SELECT max(position), run, variant, board, runtime, core_mask, scenario, simulated
FROM history WHERE position > ? AND simulated <= ? AND beside = 0 {}
GROUP BY variant, board, runtime, core_mask, scenario, simulated
"""
_MIN_DIGEST_CHARACTERS = 6


def select_history(
    database: Database, model: str | None, board: str | None, limit: int | None
) -> list[HistoryRow]:
    """Return rows, those that started last first."""
    where, values = ["1"], []
    if model is not None:
        where.append("(variant = ? OR substr(sha256, 1, ?) = ?)")
        values += [model, max(len(model), _MIN_DIGEST_CHARACTERS), model]
    if board is not None:
        where.append("(board = ? OR soc = ?)")
        values += [board, board]
    rows = database.rows(
        f"SELECT {_ROW} FROM history WHERE {' AND '.join(where)} ORDER BY started_at DESC, run DESC LIMIT ?",
        (*values, -1 if limit is None else limit),
    )
    return [_history_row(row) for row in rows]


def select_mark(database: Database) -> Mark:
    """Return which file it is, and the run that was stored last."""
    row = database.row("SELECT position, run FROM history ORDER BY position DESC LIMIT 1")
    return Mark(database.identity(), LatestRun(*row) if row else LatestRun(0, ""))


def select_latest(database: Database, after: int, simulated: bool) -> dict[ResultKey, Latest]:
    """Return the latest runs of every key, of those stored after position `after`."""
    found = _grouped(database, "", after, simulated)
    successes = _grouped(database, "AND failed = 0 AND partial = 0", after, simulated)
    return {key: Latest(run, successes.get(key)) for key, run in found.items()}


def _grouped(database: Database, condition: str, after: int, simulated: bool) -> dict[ResultKey, LatestRun]:
    rows = database.rows(_LATEST.format(condition), (after, int(simulated)))
    # Any column may hold any type in SQLite, in a damaged row.
    return {
        ResultKey._make((*(text(word or "") for word in words), bool(is_simulated))): LatestRun(
            position, text(run_id)
        )
        for position, run_id, *words, is_simulated in rows
    }


def _history_row(row: Row) -> HistoryRow:
    told = dict(zip(FIELDS, row[: len(FIELDS)], strict=True))
    # SQLite keeps any type in any column: what a damaged row holds must not hide the rows beside it.
    told = {name: value if name in _NUMBERS or value is None else text(value) for name, value in told.items()}
    told.update({name: bool(told[name]) for name in _FLAGS})
    told["started_unix_s"] = number(told["started_unix_s"])
    figures = map(number, row[len(FIELDS) :])
    measures = dict(zip(MEASURE_NAMES, figures, strict=True))
    return HistoryRow(**told, measures=measures)
