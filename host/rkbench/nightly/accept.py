"""Accept the runs of a night as the baselines of those to come."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rkbench_agent.wire.caveats import DOUBT

from rkbench.errors import UsageError
from rkbench.nightly.kept import MOST_BYTES, KeptModels
from rkbench.results.ids import fits
from rkbench.results.model import SUSPECT, RunResult
from rkbench.results.night import CellResult
from rkbench.store import Store
from rkbench.store.base import Baseline
from rkbench.store.lookup import find_night

NO_FILE = "the night is of the first version, which did not note where it was: run the suite again"


@dataclass(frozen=True)
class Accepted:
    """The baselines of a night; why cells were `left` out, and why models are `not_kept`, a line each."""

    baselines: tuple[Baseline, ...]
    left: tuple[str, ...] = ()
    not_kept: tuple[str, ...] = ()


def accept_night(
    store: Store,
    name: str,
    note: str,
    unix_s: Callable[[], float] = time.time,
    *,
    force: bool = False,
    keep_bytes: int = MOST_BYTES,
) -> Accepted:
    """Make every good run of the night `name` (or that one run, where a run is named) a baseline, and keep
    the models, at most `keep_bytes` of them.

    Left out are cells that broke, and SUSPECT ones unless `force` is given. Raises UsageError where nothing
    is left to accept.
    """
    night = find_night(store, name)
    named = [cell for cell in night.cells if any(fits(name, run) for run in cell.runs)]
    now_s = unix_s()
    accepted, models, left = [], [], []
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
        models.append((run.variant.sha256, cell))
    if not accepted:
        raise UsageError(f"{night.id} has no good run to accept", hint="; ".join(left))
    store.accept(accepted)
    return Accepted(tuple(accepted), tuple(left), tuple(_keep(store, models, keep_bytes)))


def _keep(store: Store, models: Sequence[tuple[str, CellResult]], limit_bytes: int) -> list[str]:
    """Keep the models (digest, cell) of new baselines and clear away those of none; returns what failed."""
    kept = KeptModels(store.address, limit_bytes)
    try:
        with kept.alone():
            kept.clear(_named(store))
            told = [(cell, _keep_one(kept, sha256, cell)) for sha256, cell in models]
    except OSError as error:
        told = [(cell, f"{error.filename}: {error.strerror}") for _, cell in models]
    return [f"{_where(cell)}: {why}" for cell, why in told if why]


def _keep_one(kept: KeptModels, sha256: str, cell: CellResult) -> str:
    if cell.file is None:
        return "" if kept.find(sha256) else NO_FILE
    return kept.keep(sha256, Path(cell.file))


def _named(store: Store) -> set[str]:
    """Return the digests of the models of all baselines in force."""
    runs = (store.run(baseline.run) for baseline in store.baselines())
    return {run.variant.sha256 for run in runs if run is not None}


def _where(cell: CellResult) -> str:
    return f"{cell.variant} on {cell.board} ({cell.plan})"


def _run(store: Store, cell: CellResult, name: str) -> RunResult:
    """Return the run of the cell that was named, else the latest of its file that came to its end.

    Raises UsageError where none of the cell's runs is stored.
    """
    stored = [run for run_id in cell.runs if (run := store.run(run_id)) is not None]
    good = [run for run in stored if run.failure is None]
    if not good:
        lost = ", ".join(cell.runs)
        raise UsageError(
            f"run {lost} is no longer in the store", hint="measure it again: bench nightly SUITE.toml"
        )
    own = [run for run in good if run.id not in cell.beside] or good
    return next((run for run in good if fits(name, run.id)), own[-1])
