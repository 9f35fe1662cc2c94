"""What is asked of the table `history`: rows, the latest runs, and how far the store has come."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from rkbench.results.history import MEASURE_NAMES, HistoryRow
from rkbench.results.ids import has_wildcards
from rkbench.store.asked import AskedRows, distinct_pushes
from rkbench.store.base import Latest, LatestRun, Mark, ResultKey
from rkbench.store.rows import FIELDS, FLAGS
from rkbench.store.sqlite.columns import number, text
from rkbench.store.sqlite.database import Database, Row

_ROW = ", ".join(f'"{name}"' for name in (*FIELDS, "night", *MEASURE_NAMES))
_NUMBERS = (*FLAGS, "started_unix_s")
_LATEST = """
SELECT max(position), run, variant, board, runtime, core_mask, scenario, simulated
FROM history WHERE position > ? AND simulated <= ? AND beside = 0 {}
GROUP BY variant, board, runtime, core_mask, scenario, simulated
"""


def select_history(database: Database, asked: AskedRows) -> list[HistoryRow]:
    """Return rows, those that started last first."""
    conditions = list(_conditions(asked))
    where = " AND ".join(["1", *(condition for condition, _ in conditions)])
    values = [value for _, values in conditions for value in values]
    rows = database.rows(
        f"SELECT {_ROW} FROM history WHERE {where} ORDER BY started_at DESC, run DESC LIMIT ?",
        (*values, -1 if asked.limit is None else asked.limit),
    )
    return [_history_row(row) for row in rows]


def select_rows(database: Database, ids: Sequence[str]) -> list[HistoryRow]:
    """Return the rows of these runs in the order of storing."""
    asked = f"SELECT {_ROW} FROM history WHERE run IN (SELECT value FROM json_each(?)) ORDER BY position"
    return [_history_row(row) for row in database.rows(asked, (json.dumps(list(ids)),))]


def _conditions(asked: AskedRows) -> Iterator[tuple[str, tuple[object, ...]]]:
    model, board = asked.model, asked.board
    if model is not None and has_wildcards(model):
        yield "variant GLOB ?", (model,)
    elif model is not None:
        yield "(variant = ?" + (" OR sha256 >= ? AND sha256 < ?)" if asked.digest else ")"), _model(asked)
    if board is not None:
        like = "GLOB" if has_wildcards(board) else "="
        yield f"(board {like} ? OR soc {like} ?)", (board, board)
    if asked.since_unix_s is not None:
        yield "started_unix_s >= ?", (asked.since_unix_s,)
    if asked.before_unix_s is not None:
        yield "started_unix_s < ?", (asked.before_unix_s,)


def _model(asked: AskedRows) -> tuple[object, ...]:
    return (asked.model, *((asked.digest, asked.behind_digest) if asked.digest else ()))


def select_pushes(database: Database, limit: int | None, skip: int) -> list[str]:
    """Return the ids of pushes, those that started last first."""

    def newest(count: int, behind: int) -> list[str]:
        asked = "SELECT push FROM history ORDER BY started_at DESC, run DESC LIMIT ? OFFSET ?"
        return [text(push) for (push,) in database.rows(asked, (count, behind))]

    return distinct_pushes(newest, limit, skip)


def select_mark(database: Database) -> Mark:
    """Return which file it is, and the run that was stored last."""
    row = database.row("SELECT position, run FROM history ORDER BY position DESC LIMIT 1")
    return Mark(database.identity(), LatestRun(*row) if row else LatestRun(0, ""))


def select_stored(database: Database, after: int, limit: int) -> list[LatestRun]:
    """Return runs in the order of storing, those behind position `after`."""
    asked = "SELECT position, run FROM history WHERE position > ? ORDER BY position LIMIT ?"
    return [LatestRun(position, text(run)) for position, run in database.rows(asked, (after, limit))]


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
    fields = (*FIELDS, "night")
    told = dict(zip(fields, row[: len(fields)], strict=True))
    # SQLite keeps any type in any column: what a damaged row holds must not hide the rows beside it.
    told = {name: value if name in _NUMBERS or value is None else text(value) for name, value in told.items()}
    told.update({name: bool(told[name]) for name in FLAGS})
    told["started_unix_s"] = number(told["started_unix_s"])
    figures = map(number, row[len(fields) :])
    measures = dict(zip(MEASURE_NAMES, figures, strict=True))
    return HistoryRow(**told, measures=measures)
