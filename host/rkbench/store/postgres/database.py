"""A server that is asked: transactions, rows, how long an answer is waited for, and what errors mean."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg.waiting import Ready
from sqlalchemy import Connection, Executable, create_engine, event, text
from sqlalchemy.engine import URL, Dialect
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from rkbench.store.addresses import without_password
from rkbench.store.postgres.explaining import explained

T = TypeVar("T")
Row = tuple[Any, ...]
#: A server that says nothing for so many times as long as a connection may take has stalled.
PATIENCE = 3.0
#: A question may take so long, however short a connection may.
LEAST_PATIENCE_S = 10.0
#: How long between two tries to reach a server that refuses connections: it may be starting anew.
RETRY_PAUSE_S = 0.25
#: Who writes takes this lock first: positions then become visible in their order, and none is passed over.
WRITERS = 0x726B6265
#: What hosts hold by a word.
HELD = 0x726B6268
#: Who waits for a server for longer is told so when that begins.
TOLD_FROM_S = 5.0
_log = logging.getLogger("rkbench.store")


class PatientConnection(psycopg.Connection[Any]):
    """A connection whose server must not fall silent: one that is stopped keeps its sockets open."""

    answer_s: float | None = None

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **named: Any) -> T:
        """Wait for an answer, and give up where nothing comes for `answer_s`."""
        return super().wait(self._heard(gen), *args, **named)

    def _heard(self, gen: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        try:
            waits_for = next(gen)
            heard_s = time.monotonic()
            while True:
                ready = yield waits_for
                if ready != Ready.NONE:
                    heard_s = time.monotonic()
                elif self.answer_s is not None and time.monotonic() - heard_s > self.answer_s:
                    self.pgconn.finish()
                    raise psycopg.OperationalError(
                        f"the server fell silent: no answer for {self.answer_s:g} s"
                    )
                waits_for = gen.send(ready)
        except StopIteration as end:
            result: T = end.value
            return result


class ServerDatabase:
    """A database that is reached when it is asked. Raises StoreError where it refuses.

    `answer_s` is how long a question may take at least; None: for ever, as changes of the schema may.
    """

    def __init__(self, url: URL, address: str, wait_s: float, *, answer_s: float | None = 0.0) -> None:
        self.address = without_password(address)
        self._wait_s = wait_s
        self._answer_s = None if answer_s is None else max(answer_s, LEAST_PATIENCE_S, PATIENCE * wait_s)
        self._is_told = False
        self._snapshot: Connection | None = None
        self._engine = create_engine(url, pool_pre_ping=True, pool_size=2, max_overflow=8)
        event.listen(self._engine, "do_connect", self._connect)

    def close(self) -> None:
        """Let go of the connections."""
        self._engine.dispose()

    def _connect(
        self, _dialect: Dialect, _record: ConnectionPoolEntry, words: list[Any], named: dict[str, Any]
    ) -> DBAPIConnection:
        """Connect, for as long as the server may be starting anew; what else it says is said at once."""
        named.setdefault("connect_timeout", max(2, round(self._wait_s)))  # libpq takes no less
        named.setdefault("application_name", "rkbench")
        if self._answer_s is not None:
            named.setdefault("tcp_user_timeout", round(1000 * self._answer_s))
        end_s = time.monotonic() + self._wait_s
        while True:
            try:
                connection = PatientConnection.connect(*words, **named)
                break
            except psycopg.OperationalError as error:
                if not _may_come_back(error) or time.monotonic() + RETRY_PAUSE_S > end_s:
                    raise
                self._tell_of_waiting()
                time.sleep(RETRY_PAUSE_S)
        connection.answer_s = self._answer_s
        with contextlib.closing(connection.cursor()) as cursor:
            cursor.execute(f"SET lock_timeout = {max(1, round(1000 * self._wait_s))}")
        connection.commit()
        return connection  # type: ignore[return-value]  # one of psycopg is one, as its dialect says

    def _tell_of_waiting(self) -> None:
        """Say once that the server is waited for, where that takes so long that people wonder."""
        if self._wait_s >= TOLD_FROM_S and not self._is_told:
            self._is_told = True
            _log.warning(
                "result store %s does not answer: waiting for it, %g s at most", self.address, self._wait_s
            )

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection for questions: of one moment inside `snapshot`."""
        with explained(self.address):
            if self._snapshot is not None:
                yield self._snapshot
                return
            with self._engine.connect() as connection:
                yield connection

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let everything that is read inside be of one moment."""
        with explained(self.address), self._engine.connect() as connection:
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with connection.begin():
                self._snapshot = connection
                try:
                    yield
                finally:
                    self._snapshot = None

    @contextmanager
    def transaction(self, *, lock: int | None = WRITERS) -> Iterator[Connection]:
        """Yield a connection inside one transaction, all or nothing; with the lock of those who write."""
        with explained(self.address), self._engine.begin() as connection:
            if lock is not None:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({lock})")
            yield connection

    @contextmanager
    def holding(self, word: str) -> Iterator[bool]:
        """Yield whether nobody else holds `word`: a lock of a connection of its own, gone when that ends."""
        with explained(self.address):
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            asked = text("SELECT pg_try_advisory_lock(:kind, hashtext(:word))")
            found = connection.execute(asked, {"kind": HELD, "word": word}).scalar_one()
        try:
            yield bool(found)
        finally:
            connection.invalidate()  # which ends it, also where the server is gone
            connection.close()

    def rows(self, asked: Executable) -> list[Row]:
        """Return the rows of a query."""
        with self.reading() as connection:
            return [tuple(row) for row in connection.execute(asked)]

    def row(self, asked: Executable) -> Row | None:
        """Return the first row of a query."""
        return next(iter(self.rows(asked)), None)


def _may_come_back(error: psycopg.OperationalError) -> bool:
    """Return whether nobody listens (yet), or the server says that it is starting or stopping."""
    text = str(error)
    return any(
        word in text
        for word in ("Connection refused", "No such file", "starting up", "shutting down", "recovery mode")
    )
