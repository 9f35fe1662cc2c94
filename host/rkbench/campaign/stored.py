"""Stored pushes, brought back: for `bench show`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rkbench.campaign.noise import with_known_floor
from rkbench.campaign.run import check_baseline, compare_collected
from rkbench.runs.collect import Collected
from rkbench.runs.comparison import Comparison
from rkbench.runs.model import RunResult
from rkbench.store import Store, open_store
from rkbench.store.lookup import find_runs


def load_collected(
    address: str | Path | None, name: str, baseline: str | None = None
) -> tuple[list[Collected], Comparison]:
    """Return the runs that `name` means (see `find_runs`), and their comparison.

    Raises UsageError where `baseline` is no variant of theirs.
    """
    return load_several(address, [name], baseline)


def load_several(
    address: str | Path | None, names: Sequence[str], baseline: str | None = None
) -> tuple[list[Collected], Comparison]:
    """Return the runs that several names mean, each run once, and their comparison.

    Raises UsageError as `load_collected` does.
    """
    with open_store(address) as store:
        runs = list({run.id: run for name in names for run in find_runs(store, name)}.values())
        check_baseline(baseline, [run.variant.name for run in runs])
        collected = [_collected(store, run) for run in runs]
        comparison = compare_collected(collected, baseline)
        return collected, with_known_floor(runs, comparison, store)


def _collected(store: Store, run: RunResult) -> Collected:
    return Collected(run, store.latencies(run.id), tuple(store.readings(run.id)))
