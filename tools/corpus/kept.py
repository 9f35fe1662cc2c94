"""What the project keeps of the corpus: `data`, which `distil.py` adds to."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parent / "data"
SIZES = DATA / "sizes.tsv"
Key = tuple[str, str, str, str]
"""Network, version of the toolkit, target and dtype: what one conversion is."""


def kept_rows() -> Iterator[dict[str, str]]:
    """Yield every conversion that is kept, a line of sizes.tsv each."""
    if SIZES.exists():
        with SIZES.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file, delimiter="\t")


def key_of(row: dict[str, str]) -> Key:
    """Return which conversion a line of sizes.tsv is of."""
    return row["network"], row["toolkit_version"], row["target"], row["dtype"]


def write_rows(path: Path, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    """Write a table, compressed if its name says so."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, delimiter="\t", lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    write(path, text.getvalue().encode())


def write(path: Path, data: bytes) -> None:
    """Write a file, compressed if its name says so, the same bytes for the same data."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data, 9, mtime=0) if path.suffix == ".gz" else data)
