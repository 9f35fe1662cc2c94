"""The history as JSON (schema `rkbench-history/1`) and as CSV: a row a run, all measures in base units."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from textwrap import indent
from typing import Final, Literal

from rkbench.results.history import MEASURE_NAMES, HistoryRow
from rkbench.results.serialize import to_json
from rkbench.store.base import RunTag
from rkbench.views.output import open_output
from rkbench.views.push.csv import write_rows

SCHEMA: Final = "rkbench-history/1"


@dataclass(frozen=True)
class TaggedRow:
    """A run's row of the history, and its tags."""

    row: HistoryRow
    tags: tuple[str, ...]


@dataclass(frozen=True)
class HistoryDocument:
    """Rows of the history, those that started last first."""

    schema: Literal["rkbench-history/1"]
    runs: tuple[TaggedRow, ...]


def tags_by_run(tags: Iterable[RunTag]) -> dict[str, tuple[str, ...]]:
    """Return the tags of each run that has any."""
    found: dict[str, tuple[str, ...]] = {}
    for item in tags:
        found[item.run] = (*found.get(item.run, ()), item.tag)
    return found


def write_history_json(rows: Sequence[HistoryRow], tags: Mapping[str, tuple[str, ...]], target: str) -> None:
    """Write the rows as JSON, a `HistoryDocument`, row by row: as one text 100,000 take 2 GB."""
    with open_output(target) as out:
        out.write(f'{{\n "schema": "{SCHEMA}",\n "runs": [')
        for place, row in enumerate(rows):
            told = to_json(TaggedRow(row, tags.get(row.run, ())))
            text = json.dumps(told, indent=1, allow_nan=False, ensure_ascii=False)
            out.write(f"{',' * bool(place)}\n{indent(text, '  ')}")
        out.write("\n ]\n}\n" if rows else "]\n}\n")


def write_history_csv(rows: Sequence[HistoryRow], tags: Mapping[str, tuple[str, ...]], target: str) -> None:
    """Write the rows as CSV."""
    with open_output(target) as out:
        write_rows(_rows(rows, tags), out)


def _rows(rows: Sequence[HistoryRow], tags: Mapping[str, tuple[str, ...]]) -> Iterator[dict[str, object]]:
    names = [field.name for field in fields(HistoryRow) if field.name != "measures"]
    for row in rows:
        told = {name: getattr(row, name) for name in names}
        flags = {name: int(value) for name, value in told.items() if isinstance(value, bool)}
        figures = {name: row.measures[name] for name in MEASURE_NAMES}
        yield {**told, **flags, "tags": " ".join(tags.get(row.run, ())), **figures}
