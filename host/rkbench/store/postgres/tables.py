"""The tables of the store in PostgreSQL as this rkbench uses them; `schema.py` makes them so.

Texts are ordered by their bytes, as SQLite orders them, whatever the database was made for.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import TypeEngine

from rkbench.results.history import MEASURE_NAMES
from rkbench.store.base import Baseline, GateState, RunTag
from rkbench.store.packing import COLUMNS
from rkbench.store.rows import FIELDS, FLAGS

METADATA = MetaData()
WORDS = Text(collation="C")
_TYPES: dict[str, TypeEngine[Any]] = {"str": WORDS, "bool": Boolean(), "float": Double()}


def _of(kind: type) -> list[Column[Any]]:
    """Return a column for each field of a flat dataclass."""
    return [Column(field.name, _TYPES[str(field.type).removesuffix(" | None")]) for field in fields(kind)]


def _history_type(name: str) -> TypeEngine[Any]:
    return Boolean() if name in FLAGS else Double() if name == "started_unix_s" else WORDS


#: One row: which store this is.
STORE = Table("store", METADATA, Column("id", WORDS), Column("made_by", WORDS))
RUNS = Table(
    "runs",
    METADATA,
    *(Column(name, WORDS) for name in ("id", "push", "started_at", "board", "soc", "model", "sha256")),
    *(Column(name, Boolean()) for name in ("simulated", "partial", "failed")),
    Column("document", WORDS),
)
LATENCIES = Table(
    "latencies", METADATA, Column("run", WORDS), *(Column(name, LargeBinary()) for name in COLUMNS)
)
READINGS = Table("readings", METADATA, Column("run", WORDS), Column("document", LargeBinary()))
HISTORY = Table(
    "history",
    METADATA,
    Column("position", BigInteger()),
    *(Column(name, _history_type(name)) for name in (*FIELDS, "night")),
    *(Column(name, Double()) for name in MEASURE_NAMES),
)
TAGS = Table("tags", METADATA, *_of(RunTag))
NIGHTS = Table(
    "nights",
    METADATA,
    Column("position", BigInteger()),
    *(Column(name, WORDS) for name in ("id", "suite", "fingerprint")),
    *(Column(name, Double()) for name in ("started_unix_s", "ended_unix_s")),
    Column("document", WORDS),
)
CELLS = Table(
    "cells",
    METADATA,
    Column("night", WORDS),
    Column("position", Integer()),
    Column("runs", ARRAY(WORDS)),
    Column("document", WORDS),
)
GATES = Table("gates", METADATA, Column("night", WORDS), *_of(GateState))
BASELINES = Table("baselines", METADATA, Column("id", BigInteger()), *_of(Baseline))
NOISE_FLOORS = Table(
    "noise_floors",
    METADATA,
    Column("id", BigInteger()),
    *(Column(name, WORDS) for name in ("board", "conditions", "document")),
)
