"""What is asked of the history in PostgreSQL: rows, the latest runs, and how far the store has come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.dialects.postgresql import distinct_on

from rkbench.results.history import MEASURE_NAMES, HistoryRow
from rkbench.results.ids import has_wildcards
from rkbench.store.asked import AskedRows, distinct_pushes
from rkbench.store.base import Latest, LatestRun, Mark, ResultKey
from rkbench.store.postgres.database import Row, ServerDatabase
from rkbench.store.postgres.tables import HISTORY, STORE
from rkbench.store.postgres.words import as_regular_expression, cells_of
from rkbench.store.rows import FIELDS

_TOLD = (*FIELDS, "night")
_ROW = [HISTORY.c[name] for name in (*_TOLD, *MEASURE_NAMES)]
_KEY = [HISTORY.c[name] for name in ResultKey._fields]
_NEWEST_FIRST = (HISTORY.c.started_at.desc(), HISTORY.c.run.desc())


def select_history(server: ServerDatabase, asked: AskedRows) -> list[HistoryRow]:
    """Return rows, those that started last first."""
    found = select(*_ROW).where(*_conditions(asked)).order_by(*_NEWEST_FIRST).limit(asked.limit)
    return [_history_row(row) for row in server.rows(found)]


def select_rows(server: ServerDatabase, ids: Sequence[str]) -> list[HistoryRow]:
    """Return the rows of these runs in the order of storing."""
    asked = select(*_ROW).where(HISTORY.c.run == func.any(cells_of(ids))).order_by(HISTORY.c.position)
    return [_history_row(row) for row in server.rows(asked)]


def _conditions(asked: AskedRows) -> Iterator[ColumnElement[bool]]:
    model, board = asked.model, asked.board
    if model is not None and has_wildcards(model):
        yield HISTORY.c.variant.regexp_match(as_regular_expression(model))
    elif model is not None:
        yield or_(HISTORY.c.variant == model, *_digest(asked))
    if board is not None and has_wildcards(board):
        pattern = as_regular_expression(board)
        yield or_(HISTORY.c.board.regexp_match(pattern), HISTORY.c.soc.regexp_match(pattern))
    elif board is not None:
        yield or_(HISTORY.c.board == board, HISTORY.c.soc == board)
    if asked.since_unix_s is not None:
        yield HISTORY.c.started_unix_s >= asked.since_unix_s
    if asked.before_unix_s is not None:
        yield HISTORY.c.started_unix_s < asked.before_unix_s


def _digest(asked: AskedRows) -> Iterator[ColumnElement[bool]]:
    """Yield that the SHA-256 begins so; a range, which an index answers."""
    if asked.digest is not None:
        yield and_(HISTORY.c.sha256 >= asked.digest, HISTORY.c.sha256 < asked.behind_digest)


def select_pushes(server: ServerDatabase, limit: int | None, skip: int) -> list[str]:
    """Return the ids of pushes, those that started last first."""

    def newest(count: int, behind: int) -> list[str]:
        asked = select(HISTORY.c.push).order_by(*_NEWEST_FIRST).limit(count).offset(behind)
        return [push for (push,) in server.rows(asked)]

    return distinct_pushes(newest, limit, skip)


def select_mark(server: ServerDatabase) -> Mark:
    """Return which store it is, and the run that was stored last."""
    last = server.row(select(HISTORY.c.position, HISTORY.c.run).order_by(HISTORY.c.position.desc()).limit(1))
    identity = server.row(select(STORE.c.id))
    return Mark(identity[0] if identity else None, LatestRun(*last) if last else LatestRun(0, ""))


def select_latest(server: ServerDatabase, after: int, simulated: bool) -> dict[ResultKey, Latest]:
    """Return the latest runs of every key, of those stored after position `after`."""
    found = _newest(server, after, simulated)
    successes = _newest(server, after, simulated, ~HISTORY.c.failed, ~HISTORY.c.partial)
    return {key: Latest(run, successes.get(key)) for key, run in found.items()}


def _newest(
    server: ServerDatabase, after: int, simulated: bool, *conditions: ColumnElement[bool]
) -> dict[ResultKey, LatestRun]:
    wanted = [HISTORY.c.position > after, ~HISTORY.c.beside, *conditions]
    if not simulated:
        wanted.append(~HISTORY.c.simulated)
    asked = (
        select(HISTORY.c.position, HISTORY.c.run, *_KEY)
        .where(*wanted)
        .ext(distinct_on(*_KEY))
        .order_by(*_KEY, HISTORY.c.position.desc())
    )
    return {
        ResultKey._make((*(word or "" for word in key[:-1]), key[-1])): LatestRun(position, run)
        for position, run, *key in server.rows(asked)
    }


def _history_row(row: Row) -> HistoryRow:
    told = dict(zip(_TOLD, row[: len(_TOLD)], strict=True))
    measures = dict(zip(MEASURE_NAMES, row[len(_TOLD) :], strict=True))
    return HistoryRow(**told, measures=measures)
