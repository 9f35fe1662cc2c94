"""Print what the rewrites of `bench fix` save on the real networks of the corpus.

    .venv/bin/python tools/corpus/cure_table.py

From `data/cures.tsv` alone, which `cure_all.py --keep` adds to: the size of every variant as a ratio of
the plain file's, where `bench fix` does not reach nine tenths of the best saving, what it makes grow,
and how near the predicted size is.
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from kept import DATA

CURES = DATA / "cures.tsv"
COLUMNS = (
    *("network", "target", "dtype", "variant", "toolkit_version", "rules", "proposed_for", "changes"),
    *("plain_bytes", "size_bytes", "predicted_before", "predicted_after", "relative_difference"),
    *("cured_sha256", "error"),
)
NOTABLE_RATIO = 0.02
"""A saving from this share of the file on is one that `bench fix` must find."""
REACHED_RATIO = 0.9
NEAR_RATIO = 0.1
ERROR_KEPT = 300
Row = dict[str, Any]


def cured_rows() -> Iterator[dict[str, str]]:
    """Yield every outcome that is kept, a line of cures.tsv each."""
    if CURES.exists():
        with CURES.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file, delimiter="\t")


def cured_key(row: Row) -> tuple[str, ...]:
    """Return which outcome a line is; one of newer rules takes the place of one of older."""
    return row["network"], row["target"], row["dtype"], row["variant"], row["toolkit_version"]


def columns_of(outcome: Row) -> Row:
    """Return an outcome as a line."""
    changes = " ".join(f"{name}:{count}" for name, count in sorted(outcome.get("changes", {}).items()))
    error = " ".join(str(outcome.get("error", "")).split())[:ERROR_KEPT]
    row = {**outcome, "changes": changes, "error": error}
    return {name: "" if row.get(name) is None else row[name] for name in COLUMNS}


def combinations() -> Iterator[Row]:
    """Yield what is known of each network for a target and dtype, where it converts as it is."""
    found: dict[tuple[str, ...], dict[str, Row]] = defaultdict(dict)
    for row in cured_rows():
        if row["plain_bytes"]:
            found[row["network"], row["target"], row["dtype"]][row["variant"]] = row
    for name, variants in sorted(found.items()):
        sizes = {variant: int(row["size_bytes"]) for variant, row in variants.items() if row["size_bytes"]}
        if sizes:
            plain = int(next(iter(variants.values()))["plain_bytes"])
            yield {"name": ".".join(name), "plain": plain, "sizes": sizes, **_facts(plain, variants, sizes)}


def _facts(plain: int, variants: dict[str, Row], sizes: dict[str, int]) -> Row:
    fixed, own = sizes.get("fix", plain), variants.get("fix", {})
    near = None
    if own.get("predicted_after") and "fix" in sizes:
        near = abs(int(own["predicted_after"]) / fixed - 1) <= NEAR_RATIO
    return {
        "best": plain - min(sizes.values()),
        "saved": plain - fixed,
        "difference": max(float(row["relative_difference"] or 0) for row in variants.values()),
        "near": near,
        "refused": "".join(f"; {name} refused" for name in variants if name not in sizes),
    }


def print_refused(rows: list[dict[str, str]]) -> None:
    """Print how many conversions that were refused come about once `bench fix` has been there."""
    converted = sum(bool(row["size_bytes"]) for row in rows)
    print(f"refused as they are: {len(rows)} that bench fix changes; convert then: {converted}")


def main() -> int:
    """Print the table and its sums."""
    rows = list(combinations())
    for row in rows:
        variants = ", ".join(f"{name} {size / row['plain']:.3f}" for name, size in row["sizes"].items())
        print(f"{row['name']:44s} {row['plain']:11,d}  {variants}{row['refused']}")
    worth = [row for row in rows if row["best"] > row["plain"] * NOTABLE_RATIO]
    reached = [row for row in worth if row["saved"] >= REACHED_RATIO * row["best"]]
    grown = [row["name"] for row in rows if row["saved"] < 0]
    near = [row["near"] for row in rows if row["near"] is not None]
    print(f"combinations: {len(rows)} of {len({row['name'].split('.')[0] for row in rows})} networks")
    print(f"more than {NOTABLE_RATIO:.0%} can be saved: {len(worth)}; nine tenths of it are: {len(reached)}")
    print(f"missed: {', '.join(row['name'] for row in worth if row not in reached) or 'none'}")
    print(f"grown by bench fix: {', '.join(grown) or 'none'}")
    print(f"largest relative difference: {max((row['difference'] for row in rows), default=0):.2g}")
    print(f"predicted size after within {NEAR_RATIO:.0%}: {sum(near)} of {len(near)}")
    print_refused([row for row in cured_rows() if not row["plain_bytes"] and row["changes"]])
    print(f"rules: {', '.join(sorted({row['rules'] for row in cured_rows()})) or 'none'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
