"""What the columns of a row hold: SQLite keeps any type in any column, and a damaged value hides no row."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

from rkbench.store.sqlite.database import Row

T = TypeVar("T")
#: No name that a store has is as long; a damaged one stands in every series of a scrape.
LONGEST_TEXT = 10_000


def number(value: object) -> float | None:
    """Return a number; None for what is none."""
    return value if isinstance(value, (int, float)) and math.isfinite(value) else None


def moment(value: object) -> float | None:
    """Return seconds since 1970 that a calendar has (the years to 9999); None for others."""
    found = number(value)
    return found if found is not None and 0 <= found < 253_402_300_800 else None


def text(value: object) -> str:
    """Return a text, whatever stands in the column, cut at `LONGEST_TEXT`; nothing is an empty one."""
    if isinstance(value, bytes):
        return value[:LONGEST_TEXT].decode("utf-8", "backslashreplace")
    return "" if value is None else str(value)[:LONGEST_TEXT]


#: How a field is read, by its type.
_READ: dict[str, Callable[[Any], object]] = {
    "str": text,
    "bool": bool,
    "float": lambda value: number(value) or 0.0,
    "float | None": number,
}


def read_row(kind: type[T], row: Row) -> T:
    """Return a row as the flat dataclass whose fields are its columns."""
    columns = zip(fields(kind), row, strict=True)  # type: ignore[arg-type]  # a dataclass, as said
    return kind(*(_READ[str(field.type)](_bounded(field.name, value)) for field, value in columns))


def _bounded(name: str, value: object) -> object:
    return moment(value) if name.endswith("_unix_s") else value
