"""Stored pushes, brought back: for `bench show` and `bench export`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rkbench.campaign.run import compare_collected
from rkbench.results.collect import Collected
from rkbench.results.comparison import Comparison
from rkbench.results.model import RunResult
from rkbench.results.store import Store, default_path
from rkbench.views.csv_view import write_latencies, write_runs
from rkbench.views.output import open_output


def load_collected(
    path: Path | None, prefix: str, baseline: str | None = None
) -> tuple[list[Collected], Comparison]:
    """Return the runs that `prefix` names (see `Store.find`), and their comparison."""
    with Store(path or default_path()) as store:
        collected = [_collected(store, run) for run in store.find(prefix)]
    return collected, compare_collected(collected, baseline)


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


def _collected(store: Store, run: RunResult) -> Collected:
    return Collected(run, store.latencies(run.id), tuple(store.readings(run.id)))
