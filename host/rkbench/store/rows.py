"""Rows of a store, whatever lies behind it: what of a run stands in columns beside its document."""

from __future__ import annotations

from dataclasses import fields

from rkbench.results.history import MEASURE_NAMES, HistoryRow
from rkbench.results.model import RunResult
from rkbench.results.serialize import dump_run
from rkbench.units import encodable

#: The columns of the history that are no measures, and of the run itself: neither `night`, which is that of
#: the cell that was written with it, nor `position`, the order of storing.
FIELDS = tuple(field.name for field in fields(HistoryRow) if field.name not in ("measures", "night"))
#: All columns that are written with a run.
WRITTEN = (*FIELDS, *MEASURE_NAMES)
FLAGS = ("simulated", "partial", "failed", "beside")


def run_columns(run: RunResult) -> dict[str, object]:
    """Return the columns of a run: what it is found by, and its document."""
    columns = {
        "id": run.id,
        "push": run.push,
        "started_at": run.started_at,
        "board": run.board.name,
        "soc": run.board.soc,
        "model": run.variant.name,
        "sha256": run.variant.sha256,
        "simulated": run.simulated,
        "partial": run.partial,
        "failed": run.failure is not None,
        "document": dump_run(run),
    }
    return {name: _writable(value) for name, value in columns.items()}


def history_columns(row: HistoryRow) -> tuple[object, ...]:
    """Return the values of `WRITTEN`."""
    told = (_writable(getattr(row, name)) for name in FIELDS)
    return (*told, *(row.measures[name] for name in MEASURE_NAMES))


def _writable(value: object) -> object:
    return encodable(value) if isinstance(value, str) else value
