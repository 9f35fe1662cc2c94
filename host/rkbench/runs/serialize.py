"""Dataclasses to JSON values and back, by their field names. NaN and infinities become null."""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

from rkbench.errors import StoreError
from rkbench.runs.model import RunResult

T = TypeVar("T")


def to_json(value: object) -> Any:
    """Return `value` (dataclasses, tuples, mappings, scalars) as what `json.dumps` takes."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def from_json(cls: type[T], value: Any) -> T:
    """Return the dataclass `cls` of a JSON object; unknown keys are left out, absent ones default.

    Raises StoreError where a field without a default is missing or the value is no object.
    """
    if not isinstance(value, dict):
        raise StoreError(f"{cls.__name__}: an object was expected, not {type(value).__name__}")
    hints = _hints(typing.cast(Any, cls))
    known = {name: _convert(hints[name], item) for name, item in value.items() if name in hints}
    try:
        return cls(**known)
    except TypeError as error:
        raise StoreError(f"{cls.__name__}: {error}") from error


def dump_run(run: RunResult) -> str:
    """Return `run` as one line of JSON."""
    return json.dumps(to_json(run), separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def load_run(text: str) -> RunResult:
    """Return the run of `dump_run`'s line; raises StoreError."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise StoreError(f"a stored run is not JSON: {error}") from error
    return from_json(RunResult, value)


@cache
def _hints(cls: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def _convert(hint: Any, value: Any) -> Any:
    if value is None:
        return None
    origin = typing.get_origin(hint)
    if origin is types.UnionType or origin is typing.Union:
        inner = next(arg for arg in typing.get_args(hint) if arg is not type(None))
        return _convert(inner, value)
    if origin is tuple and isinstance(value, list):
        return tuple(_convert(typing.get_args(hint)[0], item) for item in value)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return from_json(hint, value)
    if hint is float and isinstance(value, int):
        return float(value)
    return value
