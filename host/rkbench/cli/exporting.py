"""What `bench export` does with its options."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rkbench.store.sqlite import Store, default_path
from rkbench.views.output import open_output
from rkbench.views.push.csv import write_latencies, write_runs


def export_csv(path: Path | None, prefixes: Sequence[str], target: str, *, raw: bool) -> None:
    """Write runs (all where none is named) as CSV to the file `target`, or to stdout for `-`."""
    with Store(path or default_path()) as store:
        named = [run for prefix in prefixes for run in store.find(prefix)]
        found = named if prefixes else store.history()[::-1]
        with open_output(target) as out:
            if raw:
                write_latencies(((run, store.latencies(run.id)) for run in found), out)
            else:
                write_runs(found, out)
