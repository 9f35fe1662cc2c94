"""Keeps the latest results of a store in memory, and reads again only what is new there."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from rkbench.errors import DocumentError, StoreError
from rkbench.metrics.families import Exported, ResultFamilies
from rkbench.metrics.gate_families import gate_families
from rkbench.metrics.histogram import cumulative_buckets
from rkbench.results.model import RunResult
from rkbench.results.told import latencies_of
from rkbench.store import Store, open_store
from rkbench.store.base import GateState, Latest, LatestRun, Mark, ResultKey
from rkbench.units import printable

#: A scrape does not wait longer than this for a store that somebody else holds.
BUSY_TIMEOUT_S = 0.5
DEFAULT_MAX_SERIES = 50_000
_log = logging.getLogger("rkbench.serve")


class StoreCollector(Collector):
    """The latest results of the store at `address`, as many as `max_series` allows; the newest go first.

    While the store cannot be read, what was read last stays, and `rkbench_store_up` is 0.
    """

    def __init__(
        self, address: str | Path, *, simulated: bool = False, max_series: int = DEFAULT_MAX_SERIES
    ) -> None:
        self._address = address
        self._simulated = simulated
        self._max_series = max_series
        self._lock = threading.Lock()
        self._mark = Mark(None, LatestRun(0, ""))
        self._latest: dict[ResultKey, Latest] = {}
        self._exported: dict[ResultKey, tuple[Latest, Exported]] = {}
        self._gates: list[GateState] = []
        self._metrics: list[Metric] = []
        self._problem: StoreError | None = None
        self._dropped = 0
        self._damaged: set[str] = set()

    def problem(self) -> StoreError | None:
        """Look at the store and return why it cannot be read; None if all is well."""
        with self._lock:
            self._refresh()
            return self._problem

    def collect(self) -> Iterable[Metric]:
        """Return all results, and how the store is."""
        with self._lock:
            self._refresh()
            return [*self._metrics, *self._own()]

    def _refresh(self) -> None:
        try:
            self._read()
        except StoreError as error:
            if self._problem is None or self._problem.message != error.message:
                for number, line in enumerate((error.message, *error.hint.splitlines())):
                    _log.warning("%s%s", "  → " if number else "", printable(line))
            self._problem = error
            return
        if self._problem is not None:
            _log.info("the result store can be read again")
        self._problem = None

    def _read(self) -> None:
        with open_store(self._address, wait_s=BUSY_TIMEOUT_S, create=False) as store:
            mark, gates = store.mark(), store.latest_gates()
            is_other = mark.store != self._mark.store or mark.last.position < self._mark.last.position
            if mark == self._mark and gates == self._gates and not is_other:
                return
            after = 0 if is_other else self._mark.last.position
            fresh = store.latest(after=after, simulated=self._simulated)
            known = {} if is_other else self._latest
            merged = {**known, **{key: _merge(known.get(key), latest) for key, latest in fresh.items()}}
            self._build(merged, gates, store)
        self._latest, self._gates, self._mark = merged, gates, mark

    def _build(self, latest: dict[ResultKey, Latest], gates: list[GateState], store: Store) -> None:
        """Make the families anew, the newest results first, until the limit is reached."""
        families, kept, damaged = ResultFamilies(), {}, 0
        shown = [gate for gate in gates if self._simulated or not gate.simulated]
        gate_metrics = gate_families(shown)
        room = self._max_series - sum(len(metric.samples) for metric in gate_metrics)
        newest_first = sorted(latest.items(), key=lambda item: item[1].run.position, reverse=True)
        for key, runs in newest_first:
            before = self._exported.get(key)
            try:
                exported = before[1] if before and before[0] == runs else _load(store, key, runs)
            except DocumentError as error:
                self._tell_damaged(error.message)
                damaged += 1
                continue
            if families.series_count + exported.series_count > room:
                break
            kept[key] = (runs, exported)
            families.add(exported)
        self._tell_dropped(len(latest) - len(kept) - damaged)
        self._exported = kept
        self._metrics = [*families.metrics(), *gate_metrics]

    def _tell_damaged(self, message: str) -> None:
        if message not in self._damaged:
            self._damaged.add(message)
            _log.warning("left out: %s", printable(message))

    def _tell_dropped(self, dropped: int) -> None:
        if dropped and dropped != self._dropped:
            _log.warning(
                "%d results are left out: more than %d series; raise --max-series", dropped, self._max_series
            )
        self._dropped = dropped

    def _own(self) -> list[Metric]:
        series = sum(len(metric.samples) for metric in self._metrics)
        rows = (
            ("rkbench_store_up", "1 while the result store can be read.", int(self._problem is None)),
            ("rkbench_results", "Number of results that are exported.", len(self._exported)),
            ("rkbench_results_dropped", "Results left out because of the limit.", self._dropped),
            ("rkbench_series", "Number of series that results and gates have.", series),
            ("rkbench_series_limit", "How many series results and gates may have.", self._max_series),
        )
        return [GaugeMetricFamily(name, text, value=value) for name, text, value in rows]


def _merge(old: Latest | None, new: Latest) -> Latest:
    return new if old is None else Latest(new.run, new.success or old.success)


def _load(store: Store, key: ResultKey, runs: Latest) -> Exported:
    last = _stored(store, runs.run)
    if runs.success is None:
        return Exported(key, last)
    success = last if runs.success == runs.run else _stored(store, runs.success)
    told = latencies_of(success, store.latencies(success.id))
    return Exported(key, last, success, cumulative_buckets(told.timed()))


def _stored(store: Store, latest: LatestRun) -> RunResult:
    run = store.run(latest.run_id)
    if run is None:
        raise StoreError(f"result store {store.address}: run {latest.run_id} has just been deleted")
    return run
