"""Stored runs as objects: `rkbench.runs(...)` answers rows at once, and reads a run's document when asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from rkbench.api.frames import TIME, Columns, pandas_frame, polars_frame
from rkbench.api.told import check_types, with_hint
from rkbench.campaign.past import AskedPast, past_runs
from rkbench.errors import UsageError
from rkbench.results.collect import Collected
from rkbench.results.history import MEASURE_NAMES, HistoryRow, history_row
from rkbench.results.measures import LATENCY_P50
from rkbench.results.serialize import to_json
from rkbench.store import default_address, open_store, read_store
from rkbench.store.lookup import find_runs
from rkbench.units import MARK, format_seconds
from rkbench.views.history_files import tags_by_run

if TYPE_CHECKING:
    import numpy as np
    import pandas
    import polars
    from numpy.typing import NDArray
    from rkbench_agent.wire.board import Reading

    from rkbench.results.latencies import RawLatencies
    from rkbench.results.model import RunResult


@dataclass(frozen=True, repr=False)
class Run:
    """One variant on one board, once.

    `row` is what the history keeps of it; `result`, `latencies_s` and `readings` are read when they are asked
    for, from the store at `store` (None: the run is here, whole).
    """

    row: HistoryRow
    tags: tuple[str, ...] = ()
    store: str | None = None
    whole: Collected | None = None

    @property
    def id(self) -> str:
        """The run's id, by which every command knows it."""
        return self.row.run

    @property
    def variant(self) -> str:
        """The variant's name: that of its file, without .rknn."""
        return self.row.variant

    @property
    def board(self) -> str:
        """The board's name."""
        return self.row.board

    @property
    def verdict(self) -> str | None:
        """VALID, UNPINNED, SUSPECT, STOPPED or FAILED."""
        return self.row.verdict

    @property
    def simulated(self) -> bool:
        """Whether no NPU was involved."""
        return self.row.simulated

    @property
    def started_at(self) -> datetime | None:
        """When it started; None where the run holds no time that can be read."""
        try:
            return datetime.fromisoformat(self.row.started_at)
        except ValueError:
            return None

    @property
    def measures(self) -> Mapping[str, float | None]:
        """Every measure by its name, in the unit that ends the name; unknown is None."""
        return self.row.measures

    @cached_property
    def collected(self) -> Collected:
        """The run with its raw latencies and sensor readings."""
        if self.whole is not None:
            return self.whole
        with with_hint(), open_store(self.store, create=False) as store:
            found = store.run(self.id)
            if found is None:
                raise UsageError(f"no run {self.id!r} in {store.address} any more")
            return Collected(found, store.latencies(self.id), tuple(store.readings(self.id)))

    @property
    def result(self) -> RunResult:
        """The run as its JSON has it, field for field (schema `rkbench/1`)."""
        return self.collected.run

    @property
    def raw(self) -> RawLatencies:
        """Every call, warm-up included, in nanoseconds."""
        return self.collected.latencies

    @property
    def latencies_s(self) -> NDArray[np.float64]:
        """The latencies that count, in seconds, in the order in which the calls began."""
        return self.raw.timed_in_order()[1] / 1e9

    @property
    def readings(self) -> tuple[Reading, ...]:
        """The board's sensors, sample by sample."""
        return self.collected.readings

    def to_dict(self) -> dict[str, Any]:
        """Return the run as a value of JSON, as `bench push --json` has it."""
        document: dict[str, Any] = to_json(self.result)
        return document

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"<Run {self.id[-9:]} on {self.board!r}: {in_words(self)}>"

    def _repr_html_(self) -> str:
        from rkbench.views.notebook import runs_html

        return runs_html([self.row])


def in_words(run: Run) -> str:
    """Return a run's variant, latency and verdict."""
    p50_s = run.measures[LATENCY_P50.name]
    told = f" p50 {MARK if run.simulated else ''}{format_seconds(p50_s)}" if p50_s is not None else ""
    return f"{run.variant!r}{told}, {run.verdict or 'no verdict'}"


class Runs(Sequence[Run]):
    """Some runs, as a list, a DataFrame, or a table in a notebook."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._runs = tuple(runs)

    def __len__(self) -> int:
        return len(self._runs)

    @overload
    def __getitem__(self, place: int) -> Run: ...

    @overload
    def __getitem__(self, place: slice) -> Runs: ...

    def __getitem__(self, place: int | slice) -> Run | Runs:
        return Runs(self._runs[place]) if isinstance(place, slice) else self._runs[place]

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs)

    def to_pandas(self) -> pandas.DataFrame:
        """Return a row a run and a column a measure, units in the names; needs pandas."""
        return pandas_frame(self._columns())

    def to_polars(self) -> polars.DataFrame:
        """Return a row a run and a column a measure, units in the names; needs polars."""
        return polars_frame(self._columns())

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return a dictionary a run, with the columns of the DataFrame as its keys."""
        columns = {name: values for name, (_, values) in self._columns().items()}
        return [{name: values[place] for name, values in columns.items()} for place in range(len(self))]

    def _columns(self) -> Columns:
        rows = [run.row for run in self._runs]
        columns: dict[str, tuple[type, Sequence[Any]]] = {
            name: (kind, [getattr(row, name) for row in rows]) for name, kind in _IDENTITY.items()
        }
        columns["tags"] = (str, [" ".join(run.tags) for run in self._runs])
        columns |= {name: (float, [row.measures[name] for row in rows]) for name in MEASURE_NAMES}
        return columns

    def __repr__(self) -> str:
        if not self._runs:
            return "<Runs: none>"
        shown = [f"  {run!r}" for run in self._runs[:_SHOWN]]
        more = [f"  ... {len(self) - _SHOWN} more"] if len(self) > _SHOWN else []
        return "\n".join([f"<Runs: {len(self)}", *shown, *more]) + ">"

    def _repr_html_(self) -> str:
        from rkbench.views.notebook import runs_html

        return runs_html([run.row for run in self._runs])


_SHOWN = 5
_FLAGS = {"simulated", "partial", "failed", "beside"}
#: What tells a run from another; `started_unix_s` says again what `started_at` says.
_IDENTITY: dict[str, type] = {
    item.name: bool if item.name in _FLAGS else TIME if item.name == "started_at" else str
    for item in fields(HistoryRow)
    if item.name not in ("measures", "started_unix_s")
}


_TYPES = {"names": tuple[str, ...], "model": str, "board": str, "since": str, "limit": int, "store": Path}


def runs(
    *names: str,
    model: str | None = None,
    board: str | None = None,
    since: str | None = None,
    limit: int | None = None,
    store: str | Path | None = None,
) -> Runs:
    """Return stored runs, as `bench history` finds them: those that started last first.

    With names, those that they mean: runs, pushes, nights, tags, days, `last`, `last~1`. `model` and `board`
    may have wildcards (`digits.*`); `since` is a span (`7d`) or a day. `limit`: no more than so many.

    >>> import rkbench
    >>> frame = rkbench.runs(board="desk", since="7d").to_pandas()  # doctest: +SKIP
    >>> rkbench.runs("last")[0].latencies_s.mean()  # doctest: +SKIP
    """
    with with_hint():
        check_types(
            "runs", _TYPES, names=names, model=model, board=board, since=since, limit=limit, store=store
        )
        address = str(store) if store is not None else default_address()
        if names:
            return _named(names, AskedPast(model, board, since, limit), address)
        asked = AskedPast(model, board, since, limit, in_file=True)
        past = past_runs(address, asked)
    tags = tags_by_run(past.tags)
    return Runs([Run(row, tags.get(row.run, ()), address) for row in past.rows])


def _named(names: Sequence[str], asked: AskedPast, address: str) -> Runs:
    """Return the runs that names mean, in the order of their ids; raises UsageError beside what chooses."""
    if asked != AskedPast():
        raise UsageError(
            "names, and model, board, since or limit: give one of them",
            hint="rkbench.runs('last'), or rkbench.runs(board='desk', since='7d')",
        )
    with read_store(address) as store:
        found = {run.id: run for name in names for run in find_runs(store, name)}
        tags = tags_by_run(store.tags())
    return Runs([Run(history_row(run), tags.get(run.id, ()), address) for run in found.values()])


def of_push(collected: Sequence[Collected]) -> Runs:
    """Return the runs of a push, which are here whole."""
    return Runs([Run(history_row(item.run), whole=item) for item in collected])
