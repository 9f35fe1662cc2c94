"""Columns as a DataFrame of pandas or polars, each imported when one is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from rkbench.api.told import with_hint
from rkbench.errors import UsageError

if TYPE_CHECKING:
    import pandas
    import polars

#: What each column holds: text, a truth, a whole number, a number or a time (UTC).
Kind = type
Columns = Mapping[str, tuple[Kind, Sequence[Any]]]
_PANDAS = {str: "string", bool: "boolean", int: "Int64", float: "float64"}
_POLARS = {str: "String", bool: "Boolean", int: "Int64", float: "Float64"}
TIME: Kind = object


def pandas_frame(columns: Columns) -> pandas.DataFrame:
    """Return the columns as a pandas DataFrame; unknown is missing (NaN in a column of numbers)."""
    found: Any = _library("pandas")
    series = {name: _pandas_series(found, kind, values) for name, (kind, values) in columns.items()}
    frame: pandas.DataFrame = found.DataFrame(series)
    return frame


def _pandas_series(library: Any, kind: Kind, values: Sequence[Any]) -> object:
    if kind is TIME:
        texts = library.Series(list(values), dtype="object")
        return library.to_datetime(texts, utc=True, format="ISO8601", errors="coerce")
    return library.Series(list(values), dtype=_PANDAS[kind])


def polars_frame(columns: Columns) -> polars.DataFrame:
    """Return the columns as a polars DataFrame; unknown is null."""
    found: Any = _library("polars")
    series = [
        found.Series(name, list(values), dtype=found.String).str.to_datetime(time_zone="UTC", strict=False)
        if kind is TIME
        else found.Series(name, list(values), dtype=getattr(found, _POLARS[kind]))
        for name, (kind, values) in columns.items()
    ]
    frame: polars.DataFrame = found.DataFrame(series)
    return frame


def _library(name: str) -> object:
    with with_hint():
        try:
            return import_module(name)
        except ImportError as error:
            raise UsageError(
                f"a DataFrame of {name} needs {name}, which is not installed: pip install 'rkbench[{name}]'",
                hint=f"pip install 'rkbench[{name}]', or pip install {name}",
            ) from error
