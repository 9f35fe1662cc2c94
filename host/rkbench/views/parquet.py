"""A whole store as Parquet, for the analysis of years: files of many rows each, in one folder.

`runs-00001.parquet` has a row a run, `latencies-00001.parquet` a row an iteration. What is read at once does
not grow with the store.
"""

from __future__ import annotations

import io
import os
import shutil
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
from rkbench.views.output import explained

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
    """Write every run, and its raw latencies if `raw`, into a new folder; returns the files.

    The folder appears once all of it is there. Raises UsageError where it cannot be made, and BenchError
    where its disk is full.
    """
    _polars()
    if folder.exists() or folder.is_symlink():
        hint = "name a folder that is not there: nothing is written over"
        raise UsageError(f"{folder} is there already", hint=hint)
    with explained(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
        try:
            part.mkdir()
            seen = 0
            for number, ids in enumerate(batches(store, runs_a_file), 1):
                _write(_frame(_columns(store.rows(ids)), _schema()), part / f"runs-{number:05d}.parquet")
                seen += len(ids)
                told(seen)
            for number, columns in enumerate(_iterations(store, damaged) if raw else (), 1):
                _write(_frame(columns, _raw_schema()), part / f"latencies-{number:05d}.parquet")
            part.rename(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return sorted(folder.iterdir(), key=lambda path: (path.name.startswith("latencies"), path.name))


def _write(frame: polars.DataFrame, path: Path) -> None:
    """Write a file by way of the memory: what the disk says is an OSError, which polars makes text of."""
    packed = io.BytesIO()
    frame.write_parquet(packed)
    path.write_bytes(packed.getbuffer())


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
