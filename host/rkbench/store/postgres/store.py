"""The store on a server: each verb of the Protocol, handed to the module of its tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from rkbench_agent.wire.board import Reading

from rkbench.results.collect import Collected
from rkbench.results.history import HistoryRow
from rkbench.results.latencies import RawLatencies
from rkbench.results.model import RunResult
from rkbench.results.night import CellResult, Night
from rkbench.results.noise_floor import NoiseFloor
from rkbench.store.asked import AskedRows
from rkbench.store.base import Baseline, GateState, Latest, LatestRun, Mark, ResultKey, RunTag
from rkbench.store.opening import data_folder
from rkbench.store.postgres import nights, pruning, queries, runs, schema, small
from rkbench.store.postgres.address import server_url
from rkbench.store.postgres.database import ServerDatabase
from rkbench.store.postgres.patient import PatientWriter
from rkbench.store.spooling import Spool

#: How long others who write are waited for before the schema is changed.
MIGRATION_WAIT_S = 60.0


def connect(address: str, *, wait_s: float, create: bool) -> PostgresStore:
    """Return the store in the database of the URL `address`; raises StoreError."""
    server = ServerDatabase(server_url(address), address, wait_s)
    try:
        schema.ensure(server, create=create)
    except BaseException:
        server.close()
        raise
    return PostgresStore(server, PatientWriter(Spool(address, data_folder())) if create else None)


def check(address: str) -> None:
    """Raise UsageError where `address` is no URL of a database."""
    server_url(address)


def migrate(address: str) -> str:
    """Bring the database of the URL `address` to today's version, and return it."""
    server = ServerDatabase(server_url(address), address, MIGRATION_WAIT_S, answer_s=None)
    try:
        return schema.migrate(server)
    finally:
        server.close()


class PostgresStore:
    """A database on a server as a `Store`: what its methods give is said there.

    Runs, nights and cells that the server does not take are left to `writer`, if there is one.
    """

    def __init__(self, server: ServerDatabase, writer: PatientWriter | None = None) -> None:
        self._server = server
        self._writer = writer

    @property
    def address(self) -> str:
        return self._server.address

    def __enter__(self) -> PostgresStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        try:
            if self._writer is not None:
                self._writer.end(PostgresStore(self._server))
        finally:
            self._server.close()

    def _write(self, to_server: Callable[[], None], keep: Callable[[Spool], None]) -> None:
        if self._writer is None:
            to_server()
        else:
            self._writer.write(PostgresStore(self._server), to_server, keep)

    # -- runs

    def save(self, collected: Collected) -> None:
        self.save_all([collected])

    def save_all(self, items: Sequence[Collected]) -> None:
        self._write(lambda: runs.save_runs(self._server, items), lambda spool: spool.keep_runs(items))

    def run(self, run_id: str) -> RunResult | None:
        return runs.select_run(self._server, run_id)

    def find(self, name: str) -> list[str]:
        return runs.select_fitting(self._server, name)

    def known(self, ids: Sequence[str]) -> frozenset[str]:
        return runs.select_known(self._server, ids)

    def stored(self, *, after: int, limit: int) -> list[LatestRun]:
        return runs.select_stored(self._server, after, limit)

    def history(
        self,
        *,
        model: str | None = None,
        board: str | None = None,
        limit: int | None = None,
        since_unix_s: float | None = None,
        before_unix_s: float | None = None,
    ) -> list[HistoryRow]:
        asked = AskedRows(model, board, limit, since_unix_s, before_unix_s)
        return queries.select_history(self._server, asked)

    def rows(self, ids: Sequence[str]) -> list[HistoryRow]:
        return queries.select_rows(self._server, ids)

    def pushes(self, *, limit: int | None = None, skip: int = 0) -> list[str]:
        return queries.select_pushes(self._server, limit, skip)

    def latencies(self, run_id: str) -> RawLatencies:
        return runs.select_latencies(self._server, run_id)

    def readings(self, run_id: str) -> list[Reading]:
        return runs.select_readings(self._server, run_id)

    def prunable(self, before_unix_s: float, *, raw_only: bool, after: int, limit: int) -> list[LatestRun]:
        return pruning.select_prunable(self._server, before_unix_s, raw_only, after, limit)

    def remove(self, runs: Sequence[str], *, raw_only: bool) -> None:
        pruning.delete_runs(self._server, runs, raw_only=raw_only)

    def remove_nights(self, before_unix_s: float) -> int:
        return pruning.delete_nights(self._server, before_unix_s)

    # -- tags

    def save_tags(self, tags: Sequence[RunTag]) -> None:
        small.insert_tags(self._server, tags)

    def remove_tag(self, tag: str, runs: Sequence[str]) -> int:
        return small.delete_tag(self._server, tag, runs)

    def tags(self, tag: str | None = None) -> list[RunTag]:
        return small.select_tags(self._server, tag)

    # -- noise floors

    def save_noise_floor(self, floor: NoiseFloor) -> None:
        small.insert_floor(self._server, floor)

    def noise_floor(self, board: str, conditions: Mapping[str, str | None]) -> NoiseFloor | None:
        return small.select_floor(self._server, board, conditions)

    def noise_floors(self) -> list[NoiseFloor]:
        return small.select_floors(self._server)

    # -- the whole of it

    def faults(self) -> list[str]:
        return schema.faults(self._server)

    def backup(self, target: Path) -> tuple[str, ...]:
        from rkbench.store.copying import copy_to_file

        with self._server.snapshot():
            return copy_to_file(self, target)

    # -- the newest of it

    def mark(self) -> Mark:
        return queries.select_mark(self._server)

    def latest(self, *, after: int = 0, simulated: bool = False) -> dict[ResultKey, Latest]:
        return queries.select_latest(self._server, after, simulated)

    def latest_gates(self) -> list[GateState]:
        return nights.select_gates(self._server)

    # -- nights

    def holding(self, word: str) -> AbstractContextManager[bool]:
        return self._server.holding(word)

    def save_night(self, night: Night) -> None:
        self._write(lambda: nights.save_night(self._server, night), lambda spool: spool.keep_night(night))

    def save_cell(self, night: Night, position: int, cell: CellResult, runs: Sequence[Collected]) -> None:
        self._write(
            lambda: nights.save_cell(self._server, night, position, cell, runs),
            lambda spool: spool.keep_cell(night, position, cell, runs),
        )

    def night(self, night_id: str) -> Night | None:
        return nights.select_night(self._server, night_id)

    def positions(self, night_id: str) -> list[int]:
        return nights.select_positions(self._server, night_id)

    def nights(self, *, suite: str | None = None, limit: int | None = None) -> list[str]:
        return nights.select_ids(self._server, suite, limit)

    def find_nights(self, name: str) -> list[str]:
        return nights.select_fitting(self._server, name)

    def accept(self, accepted: Sequence[Baseline]) -> None:
        nights.insert_baselines(self._server, accepted)

    def baselines(self, suite: str | None = None) -> list[Baseline]:
        return nights.select_baselines(self._server, suite)
