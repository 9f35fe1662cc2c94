"""What a name on the command line means in a store: a run, a push, a night; UsageErrors say the choice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from rkbench.errors import DocumentError, StoreError, UsageError
from rkbench.runs.latencies import RawLatencies
from rkbench.runs.model import RunResult
from rkbench.runs.night import Night
from rkbench.store.base import Store

T = TypeVar("T")
LAST = "last"


def find_runs(store: Store, name: str) -> list[RunResult]:
    """Return the runs of one push, or one run: by the start of an id, by the end of a push's, or `last`.

    A name that fits runs of several pushes, or none, is a UsageError.
    """
    ids = store.find(_last_push(store) if name == LAST else name) or store.find(_with_two_digits(name))
    runs = [run for run_id in ids if (run := store.run(run_id)) is not None]
    if not runs:
        raise UsageError(f"no run {name!r} in {store.address}", hint="list them: bench history")
    pushes = sorted({run.push for run in runs})
    if len(pushes) > 1:
        raise UsageError(
            f"{name!r} fits several pushes: {', '.join(pushes[:4])}",
            hint="give more of the id, or its end as in: bench history",
        )
    return runs


def _with_two_digits(name: str) -> str:
    """Return `4t2wce-1` as the ids are written: `4t2wce-01`."""
    start, dash, number = name.rpartition("-")
    return f"{start}-0{number}" if dash and len(number) == 1 and number.isdecimal() else name


def named_runs(
    store: Store, names: Sequence[str], damaged: list[StoreError] | None = None
) -> list[RunResult]:
    """Return the runs that `names` mean, each as in `find_runs`; every run, the oldest first, without any.

    Of all runs, those whose document is damaged are left out where `damaged` takes their errors.
    """
    if names:
        return [run for name in names for run in find_runs(store, name)]
    found = (_or_damage(store.run, row.run, damaged) for row in store.history()[::-1])
    return [run for run in found if run is not None]


def raw_latencies(
    store: Store, runs: Sequence[RunResult], damaged: list[StoreError] | None
) -> Iterator[tuple[RunResult, RawLatencies]]:
    """Yield runs with their latencies; damaged ones are left out where `damaged` takes their errors."""
    for run in runs:
        raw = _or_damage(store.latencies, run.id, damaged)
        if raw is not None:
            yield run, raw


def _or_damage(read: Callable[[str], T], run_id: str, damaged: list[StoreError] | None) -> T | None:
    try:
        return read(run_id)
    except DocumentError as error:
        if damaged is None:
            raise
        damaged.append(error)
        return None


def find_night(store: Store, name: str) -> Night:
    """Return the night that `name` means: by its id or that of a run of it (see `find_runs`), or `last`."""
    ids = store.nights(limit=1) if name == LAST else store.find_nights(name)
    if len(ids) > 1:
        raise UsageError(f"{name!r} fits several nights: {', '.join(ids[:4])}", hint="give more of the id")
    night = store.night(ids[0]) if ids else None
    if night is None:
        raise UsageError(f"no night {name!r} in {store.address}", hint="run one: bench nightly SUITE.toml")
    return night


def _last_push(store: Store) -> str:
    """Return the push that started last; "" without any."""
    return next((row.push for row in store.history(limit=1)), "")
