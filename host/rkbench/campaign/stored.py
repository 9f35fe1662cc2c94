"""Stored pushes, brought back: for `bench show`."""

from __future__ import annotations

from pathlib import Path

from rkbench.campaign.run import check_baseline, compare_collected
from rkbench.runs.collect import Collected
from rkbench.runs.comparison import Comparison
from rkbench.runs.model import RunResult
from rkbench.store.sqlite import Store, default_path


def load_collected(
    path: Path | None, prefix: str, baseline: str | None = None
) -> tuple[list[Collected], Comparison]:
    """Return the runs that `prefix` names (see `Store.find`), and their comparison.

    Raises UsageError where `baseline` is no variant of theirs.
    """
    with Store(path or default_path()) as store:
        runs = store.find(prefix)
        check_baseline(baseline, [run.variant.name for run in runs])
        collected = [_collected(store, run) for run in runs]
    return collected, compare_collected(collected, baseline)


def _collected(store: Store, run: RunResult) -> Collected:
    return Collected(run, store.latencies(run.id), tuple(store.readings(run.id)))
