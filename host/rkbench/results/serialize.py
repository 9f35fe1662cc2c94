"""Dataclasses to JSON values, by their field names. NaN and infinities become null."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from rkbench.units import encodable

if TYPE_CHECKING:
    from rkbench.results.model import RunResult


def to_json(value: object, text: Callable[[str], str] = str) -> Any:
    """Return `value` (dataclasses, tuples, mappings, scalars) as what `json.dumps` takes.

    Each text goes through `text`; `encodable` makes it one that every reader and database takes.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name), text) for field in dataclasses.fields(value)}
    if isinstance(value, (list, tuple)):
        return [to_json(item, text) for item in value]
    if isinstance(value, Mapping):
        return {text(str(key)): to_json(item, text) for key, item in value.items()}
    if isinstance(value, str):
        return text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def dump_run(run: RunResult) -> str:
    """Return `run` as one line of JSON."""
    return json.dumps(to_json(run, encodable), separators=(",", ":"), allow_nan=False, ensure_ascii=False)
