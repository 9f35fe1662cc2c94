"""Stored pushes, brought back: for `bench show`, `bench report` and `bench compare`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rkbench.campaign.compared import check_baseline, compare_collected
from rkbench.campaign.noise import with_known_floor
from rkbench.errors import UsageError
from rkbench.results.collect import Collected
from rkbench.results.comparison import Comparison
from rkbench.results.ids import fits, short_ids
from rkbench.results.model import RunResult
from rkbench.results.night import Night
from rkbench.results.side_by_side import Side, SideBySide, side_by_side
from rkbench.results.verdict import verdict_sentence
from rkbench.store import Store, read_store
from rkbench.store.lookup import find_night, find_runs, means_night


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
    with read_store(address) as store:
        runs = list({run.id: run for name in names for run in find_runs(store, name)}.values())
        check_baseline(baseline, [run.variant.name for run in runs])
        collected = [_collected(store, run) for run in runs]
        comparison = compare_collected(collected, baseline)
        return collected, with_known_floor(runs, comparison, store)


def load_run(address: str | Path | None, name: str, sha256: str | None) -> RunResult:
    """Return the run that a name means; of several, the last of the file with this digest, or the last."""
    with read_store(address) as store:
        runs = find_runs(store, name)
    return next((run for run in runs[::-1] if run.variant.sha256 == sha256), runs[-1])


def load_night(address: str | Path | None, name: str) -> Night | None:
    """Return the night that a name means; None where it means runs."""
    with read_store(address) as store:
        return find_night(store, name) if means_night(store, name) else None


def _collected(store: Store, run: RunResult) -> Collected:
    return Collected(run, store.latencies(run.id), tuple(store.readings(run.id)))


def compare_stored(
    address: str | Path | None, names: Sequence[str], *, strict: bool = False
) -> tuple[SideBySide, dict[str, RunResult]]:
    """Return what several names mean, held against the first, and the runs by their ids.

    Of one name that means a single push, its runs are held against each other.

    Raises UsageError where there is nothing to compare and, if `strict`, where conditions differ.
    """
    with read_store(address) as store:
        sides = [_side(store, name) for name in names]
        if len(sides) == 1:
            sides = _runs_as_sides(sides[0])
        runs = {run.id: run for _, members in sides for run in members}
        if len(runs) < 2:
            raise UsageError(
                f"{' '.join(names)}: one run, and nothing beside it", hint="bench compare last~1 last"
            )
        latencies = {run_id: store.latencies(run_id) for run_id in runs}
    found = side_by_side(sides, latencies, verdict_sentence)
    if strict and (differing := found.differing):
        raise UsageError(
            f"--strict: {len(differing)} conditions differ:\n" + "\n".join(f"  {text}" for text in differing),
            hint="measure both alike; without --strict they are compared, and what differs is listed",
        )
    return found, runs


def _side(store: Store, name: str) -> tuple[Side, list[RunResult]]:
    runs = find_runs(store, name)
    return Side(
        name, _label(name, runs), min(run.started_at for run in runs), tuple(run.id for run in runs)
    ), runs


def _label(name: str, runs: Sequence[RunResult]) -> str:
    """Return what a side is called: as it was typed, an id by its end."""
    ids = short_ids(run.id for run in runs)
    pushes = {run.push for run in runs}
    if len(runs) == 1 and fits(name, runs[0].id):
        return ids[runs[0].id]
    return ids[runs[0].id].rpartition("-")[0] if len(pushes) == 1 and fits(name, runs[0].push) else name


def _runs_as_sides(side: tuple[Side, list[RunResult]]) -> list[tuple[Side, list[RunResult]]]:
    """Return the runs of one push as sides of their own; several pushes stay one side."""
    runs = side[1]
    if len({run.push for run in runs}) > 1:
        return [side]
    ids = short_ids(run.id for run in runs)
    return [(Side(side[0].name, ids[run.id], run.started_at, (run.id,)), [run]) for run in runs]
