"""Accept the runs of a night as the baselines of those to come."""

from __future__ import annotations

import time
from collections.abc import Callable

from rkbench_agent.wire.caveats import DOUBT

from rkbench.errors import UsageError
from rkbench.runs.ids import fits
from rkbench.runs.model import SUSPECT, RunResult
from rkbench.runs.night import CellResult
from rkbench.store import Store
from rkbench.store.base import Baseline
from rkbench.store.lookup import find_night


def accept_night(
    store: Store, name: str, note: str, unix_s: Callable[[], float] = time.time, *, force: bool = False
) -> tuple[list[Baseline], list[str]]:
    """Make every good run of the night `name` (or that one run, where a run is named) a baseline.

    Returns them, and why cells were left out: those that broke, and SUSPECT ones unless `force` is given.
    Raises UsageError where nothing is left to accept.
    """
    night = find_night(store, name)
    named = [cell for cell in night.cells if any(fits(name, run) for run in cell.runs)]
    now_s = unix_s()
    accepted, left = [], []
    for cell in named or night.cells:
        if cell.fault is not None:
            left.append(f"{_where(cell)}: {cell.fault.message}")
            continue
        run = _run(store, cell, name)
        # The first version called runs SUSPECT for a free governor, which is no doubt.
        doubts = [item.code for item in run.caveats if item.weight == DOUBT]
        if run.verdict == SUSPECT and doubts and not force:
            left.append(f"{_where(cell)}: {run.id} is SUSPECT ({', '.join(doubts)}); --force accepts it")
            continue
        accepted.append(Baseline(night.suite, *cell.key, cell.simulated, run.id, night.id, now_s, note))
    if not accepted:
        raise UsageError(f"{night.id} has no good run to accept", hint="; ".join(left))
    store.accept(accepted)
    return accepted, left


def _where(cell: CellResult) -> str:
    return f"{cell.variant} on {cell.board} ({cell.plan})"


def _run(store: Store, cell: CellResult, name: str) -> RunResult:
    """Return the run of the cell that was named, else the latest that came to its end.

    Raises UsageError where none of the cell's runs is stored.
    """
    stored = [run for run_id in cell.runs if (run := store.run(run_id)) is not None]
    good = [run for run in stored if run.failure is None]
    if not good:
        lost = ", ".join(cell.runs)
        raise UsageError(
            f"run {lost} is no longer in the store", hint="measure it again: bench nightly SUITE.toml"
        )
    return next((run for run in good if fits(name, run.id)), good[-1])
