"""The SQLite store: each verb of the Protocol, handed to the module of its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
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
from rkbench.store.sqlite import nights, noise, pruning, queries, runs, tagging
from rkbench.store.sqlite.database import Database
from rkbench.store.sqlite.migrations import VERSION


def connect(address: str, *, wait_s: float, create: bool) -> SqliteStore:
    """Return the store in the file `address`; raises StoreError."""
    return SqliteStore(Database(Path(address), wait_s, create=create))


def connect_backup(part: Path, target: Path) -> SqliteStore:
    """Return a new store in `part`, which is to be the backup `target`; raises StoreError that names it."""
    return SqliteStore(Database(part, 0.0, create=True, backup=target))


def check(address: str) -> None:
    """Take every path: what stands there is seen when it is opened."""
    del address


def migrate(address: str) -> str:
    """Bring the file `address` to today's version, as every opening does, and return it."""
    connect(address, wait_s=10.0, create=False).close()
    return str(VERSION)


class SqliteStore:
    """An open SQLite file as a `Store`: what its methods give is said there."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def address(self) -> str:
        return str(self._database.path)

    def __enter__(self) -> SqliteStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._database.close()

    # -- runs

    def save(self, collected: Collected) -> None:
        self.save_all([collected])

    def save_all(self, items: Sequence[Collected]) -> None:
        with self._database.transaction() as db:
            for item in items:
                runs.insert_run(db, item)

    def run(self, run_id: str) -> RunResult | None:
        return runs.select_run(self._database, run_id)

    def find(self, name: str) -> list[str]:
        return runs.select_fitting(self._database, name)

    def known(self, ids: Sequence[str]) -> frozenset[str]:
        return runs.select_known(self._database, ids)

    def stored(self, *, after: int, limit: int) -> list[LatestRun]:
        return queries.select_stored(self._database, after, limit)

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
        return queries.select_history(self._database, asked)

    def rows(self, ids: Sequence[str]) -> list[HistoryRow]:
        return queries.select_rows(self._database, ids)

    def pushes(self, *, limit: int | None = None, skip: int = 0) -> list[str]:
        return queries.select_pushes(self._database, limit, skip)

    def latencies(self, run_id: str) -> RawLatencies:
        return runs.select_latencies(self._database, run_id)

    def readings(self, run_id: str) -> list[Reading]:
        return runs.select_readings(self._database, run_id)

    def prunable(self, before_unix_s: float, *, raw_only: bool, after: int, limit: int) -> list[LatestRun]:
        return pruning.select_prunable(self._database, before_unix_s, raw_only, after, limit)

    def remove(self, runs: Sequence[str], *, raw_only: bool) -> None:
        pruning.delete_runs(self._database, runs, raw_only=raw_only)

    def remove_nights(self, before_unix_s: float) -> int:
        return pruning.delete_nights(self._database, before_unix_s)

    # -- tags

    def save_tags(self, tags: Sequence[RunTag]) -> None:
        tagging.insert_tags(self._database, tags)

    def remove_tag(self, tag: str, runs: Sequence[str]) -> int:
        return tagging.delete_tag(self._database, tag, runs)

    def tags(self, tag: str | None = None) -> list[RunTag]:
        return tagging.select_tags(self._database, tag)

    # -- noise floors

    def save_noise_floor(self, floor: NoiseFloor) -> None:
        noise.insert_floor(self._database, floor)

    def noise_floor(self, board: str, conditions: Mapping[str, str | None]) -> NoiseFloor | None:
        return noise.select_floor(self._database, board, conditions)

    def noise_floors(self) -> list[NoiseFloor]:
        return noise.select_floors(self._database)

    # -- the whole of it

    def faults(self) -> list[str]:
        return self._database.faults()

    def backup(self, target: Path) -> tuple[str, ...]:
        self._database.backup(target)
        return ()

    # -- the newest of it

    def mark(self) -> Mark:
        return queries.select_mark(self._database)

    def latest(self, *, after: int = 0, simulated: bool = False) -> dict[ResultKey, Latest]:
        return queries.select_latest(self._database, after, simulated)

    def latest_gates(self) -> list[GateState]:
        return nights.select_gates(self._database)

    # -- nights

    def holding(self, word: str) -> AbstractContextManager[bool]:  # noqa: ARG002 - nobody shares a file
        return nullcontext(enter_result=True)

    def save_night(self, night: Night) -> None:
        nights.save_night(self._database, night)

    def save_cell(self, night: Night, position: int, cell: CellResult, runs: Sequence[Collected]) -> None:
        nights.save_cell(self._database, night, position, cell, runs)

    def night(self, night_id: str) -> Night | None:
        return nights.select_night(self._database, night_id)

    def positions(self, night_id: str) -> list[int]:
        return nights.select_positions(self._database, night_id)

    def nights(self, *, suite: str | None = None, limit: int | None = None) -> list[str]:
        return nights.select_ids(self._database, suite, limit)

    def find_nights(self, name: str) -> list[str]:
        return nights.select_fitting(self._database, name)

    def accept(self, accepted: Sequence[Baseline]) -> None:
        nights.insert_baselines(self._database, accepted)

    def baselines(self, suite: str | None = None) -> list[Baseline]:
        return nights.select_baselines(self._database, suite)
