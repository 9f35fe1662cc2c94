"""Dataclasses to JSON values, by field names: NaN and infinities become null, half surrogates escapes."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

from rkbench.runs.model import RunResult
from rkbench.units import encodable


def to_json(value: object) -> Any:
    """Return `value` (dataclasses, tuples, mappings, scalars) as what `json.dumps` takes."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def dump_run(run: RunResult) -> str:
    """Return `run` as one line of JSON."""
    return json.dumps(to_json(run), separators=(",", ":"), allow_nan=False, ensure_ascii=False)
