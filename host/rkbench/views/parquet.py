"""A whole store as Parquet, for the analysis of years: files of many rows each, in one folder.

`runs-00001.parquet` has a row a run, `latencies-00001.parquet` a row an iteration. What is read at once does
not grow with the store.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rkbench.errors import StoreError, StoreUnavailableError, UsageError
from rkbench.results.history import MEASURE_NAMES, HistoryRow
from rkbench.results.latencies import RawLatencies
from rkbench.store import Store
from rkbench.store.copying import batches

if TYPE_CHECKING:
    import polars

#: Runs, and iterations, in one file.
RUNS_A_FILE = 50_000
ITERATIONS_A_FILE = 2_000_000
_FLAGS = ("warmup", "unread")
_TOLD = tuple(field.name for field in fields(HistoryRow) if field.name != "measures")


def write_parquet(
    store: Store,
    folder: Path,
    *,
    raw: bool,
    damaged: list[StoreError],
    told: Callable[[int], None] = lambda _: None,
    runs_a_file: int = RUNS_A_FILE,
) -> list[Path]:
    """Write every run, and its raw latencies if `raw`, into a new folder; returns the files."""
    _polars()
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        hint = "name a folder that is not there: nothing is written over"
        raise UsageError(f"{folder} is there already", hint=hint) from None
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}", hint="name another folder") from error
    written = []
    for number, ids in enumerate(batches(store, runs_a_file), 1):
        rows = store.rows(ids)
        path = folder / f"runs-{number:05d}.parquet"
        _frame(_columns(rows), _schema()).write_parquet(path)
        written.append(path)
        told(number * runs_a_file)
    if raw:
        written += _write_latencies(store, folder, damaged)
    return written


def _write_latencies(store: Store, folder: Path, damaged: list[StoreError]) -> list[Path]:
    written = []
    for number, columns in enumerate(_iterations(store, damaged), 1):
        path = folder / f"latencies-{number:05d}.parquet"
        _frame(columns, _raw_schema()).write_parquet(path)
        written.append(path)
    return written


def _iterations(store: Store, damaged: list[StoreError]) -> Iterator[dict[str, list[Any]]]:
    """Yield columns of as many runs as fill a file."""
    columns: dict[str, list[Any]] = {name: [] for name in _raw_schema()}
    for ids in batches(store):
        for run_id in ids:
            try:
                _extend(columns, run_id, store.latencies(run_id))
            except StoreUnavailableError:
                raise
            except StoreError as error:
                damaged.append(error)
        if len(columns["run"]) >= ITERATIONS_A_FILE:
            yield columns
            columns = {name: [] for name in columns}
    if columns["run"]:
        yield columns


def _extend(columns: dict[str, list[Any]], run_id: str, raw: RawLatencies) -> None:
    count = len(raw.duration_ns)
    columns["run"] += [run_id] * count
    for name in RawLatencies.__dataclass_fields__:
        column: array[int] = getattr(raw, name)
        if name in _FLAGS:
            columns[name] += map(bool, column) if column else [None] * count
        else:
            columns[name] += column or [None] * count


def _columns(rows: Sequence[HistoryRow]) -> dict[str, list[Any]]:
    told = {name: [getattr(row, name) for row in rows] for name in _TOLD}
    return {**told, **{name: [row.measures[name] for row in rows] for name in MEASURE_NAMES}}


def _frame(columns: Mapping[str, list[Any]], schema: Mapping[str, Any]) -> polars.DataFrame:
    frame: polars.DataFrame = _polars().DataFrame(columns, schema=dict(schema))
    return frame


def _schema() -> dict[str, Any]:
    types = {"str": _polars().String, "bool": _polars().Boolean, "float": _polars().Float64}
    told = {field.name: str(field.type).removesuffix(" | None") for field in fields(HistoryRow)}
    return {
        **{name: types[told[name]] for name in _TOLD},
        **dict.fromkeys(MEASURE_NAMES, _polars().Float64),
    }


def _raw_schema() -> dict[str, Any]:
    names = RawLatencies.__dataclass_fields__
    kinds = {name: _polars().Boolean if name in _FLAGS else _polars().Int64 for name in names}
    return {"run": _polars().String, **kinds}


def _polars() -> Any:
    try:
        import polars
    except ModuleNotFoundError as error:
        raise UsageError("Parquet needs the package polars", hint="pip install 'rkbench[polars]'") from error
    return polars
