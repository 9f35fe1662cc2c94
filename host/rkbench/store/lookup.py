"""What a name on the command line means in a store: a run, a push, a tag, a day, a night.

UsageErrors say the choice. In this order a name is: `last` or `last~N`, a tag, a run or push by its id, a
night by its id (or `night`, `night~N`), a day (2026-11-26).
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import TypeVar

from rkbench.errors import DocumentError, StoreError, UsageError
from rkbench.results.latencies import RawLatencies
from rkbench.results.model import RunResult
from rkbench.results.night import Night
from rkbench.store.base import Store
from rkbench.units import encodable

T = TypeVar("T")
LAST = "last"
NIGHT = "night"
PAGE_RUNS = 1000
_BEFORE = re.compile(r"(?P<word>last|night)(?:~(?P<back>\d{1,9}))?")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def find_runs(store: Store, name: str) -> list[RunResult]:
    """Return the runs that a name means, in the order of their ids; of a night those that it judged.

    An id that fits runs of several pushes, or no run at all, is a UsageError.
    """
    runs = [run for run_id in find_ids(store, name) if (run := store.run(run_id)) is not None]
    if not runs:
        raise _no_run(store, name)
    return runs


def _no_run(store: Store, name: str) -> UsageError:
    """Return the error of a name that means no run, with what to do."""
    return UsageError(f"no run {name!r} in {store.address}", hint=_instead(store, name))


def _instead(store: Store, name: str) -> str:
    """Return what to do where a name means no run: a tag that is near, the runs of a model, or all."""
    name = encodable(name)
    if not store.pushes(limit=1, skip=0):
        return "it holds none yet: bench push MODEL.rknn --board virtual"
    if store.history(model=name, limit=1):
        return f"it is a model; its runs: bench history --model {shlex.quote(name)}"
    words = sorted({item.tag for item in store.tags()} | {LAST})
    begun = [word for word in words if name and word.startswith(name)]
    near = begun[:2] or difflib.get_close_matches(name, words, 2)
    meant = f"did you mean {' or '.join(near)}?\n" if near else ""
    return f"{meant}list them: bench history"


def find_ids(store: Store, name: str) -> list[str]:
    """Return the ids of the runs that a name means, as `find_runs` does; none where nothing fits."""
    name = encodable(name)
    before = _BEFORE.fullmatch(name)
    if before is not None and before["word"] == LAST:
        pushes = store.pushes(limit=1, skip=int(before["back"] or 0))
        return [run for push in pushes for run in store.find(push)]
    if tagged := store.tags(name):
        return [item.run for item in tagged]
    if ids := store.find(name) or store.find(_with_two_digits(name)):
        _check_one_push(ids, name)
        return ids
    if _is_night(name):
        return [run for cell in find_night(store, name).cells for run in cell.own_runs[-1:]]
    return _of_day(store, name) if _DAY.fullmatch(name) else []


def _check_one_push(ids: Sequence[str], name: str) -> None:
    pushes = sorted({run_id.rpartition("-")[0] for run_id in ids})
    if len(pushes) > 1:
        raise UsageError(
            f"{name!r} fits several pushes: {', '.join(pushes[:4])}",
            hint="give more of the id, or its end as in: bench history",
        )


def _is_night(name: str) -> bool:
    """Return whether a name can be that of a night alone: what a night's runs are called is a run, too."""
    return name == NIGHT or name.startswith((f"{NIGHT}-", f"{NIGHT}~"))


def means_night(store: Store, name: str) -> bool:
    """Return whether a name is that of a night, and of nothing that comes before it."""
    name = encodable(name)
    return _is_night(name) and not store.tags(name) and not store.find(name)


def is_reserved(name: str) -> bool:
    """Return whether a word means something by itself, so that no tag may be called so."""
    return bool(_BEFORE.fullmatch(name) or _DAY.fullmatch(name)) or _is_night(name)


def _of_day(store: Store, name: str) -> list[str]:
    """Return the runs that started on a day of this computer's time zone, without baselines of nights."""
    try:
        begin = datetime.fromisoformat(name)
        since_s, before_s = begin.timestamp(), (begin + timedelta(days=1)).timestamp()
    except (ValueError, OverflowError, OSError):  # no calendar's day, or the first or last of all
        raise UsageError(f"{name} is no day", hint="as 2026-11-26") from None
    rows = store.history(since_unix_s=since_s, before_unix_s=before_s)
    return sorted(row.run for row in rows if not row.beside)


def _with_two_digits(name: str) -> str:
    """Return `4t2wce-1` as the ids are written: `4t2wce-01`."""
    start, dash, number = name.rpartition("-")
    return f"{start}-0{number}" if dash and len(number) == 1 and number.isdecimal() else name


def named_runs(
    store: Store, names: Sequence[str], damaged: list[StoreError] | None = None
) -> Iterator[RunResult]:
    """Return the runs that `names` mean, each as in `find_runs`; every run, the oldest first, without any.

    They are read one by one, as they are asked for: a store may hold more than a computer's memory. What a
    name means is looked up at once. Of all runs, those whose document is damaged are left out where
    `damaged` takes their errors.
    """
    if not names:
        return _each_run(store, _by_start(store), damaged)
    found = [find_ids(store, name) for name in names]
    for name, ids in zip(names, found, strict=True):
        if not ids:
            raise _no_run(store, name)
    return _each_run(store, chain.from_iterable(found), None)


def _by_start(store: Store) -> list[str]:
    """Return the ids of all runs, those that started first first; rows are held a page at a time."""
    begun: list[tuple[str, str]] = []
    after = 0
    while page := store.stored(after=after, limit=PAGE_RUNS):
        begun += [(row.started_at, row.run) for row in store.rows([item.run_id for item in page])]
        after = page[-1].position
    return [run for _, run in sorted(begun)]


def _each_run(store: Store, ids: Iterable[str], damaged: list[StoreError] | None) -> Iterator[RunResult]:
    found = (_or_damage(store.run, run_id, damaged) for run_id in ids)
    return (run for run in found if run is not None)


def raw_latencies(
    store: Store, runs: Iterable[RunResult], damaged: list[StoreError] | None
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


_NO_NIGHT = "run one: bench nightly SUITE.toml"


def find_night(store: Store, name: str) -> Night:
    """Return the night that `name` means: by its id or that of a run of it, `night` or `last`, or
    `night~N`, the one begun N nights before that."""
    name = encodable(name)
    before = _BEFORE.fullmatch(name)
    back = int(before["back"] or 0) if before is not None else 0
    ids = store.nights()[back : back + 1] if before is not None else store.find_nights(name)
    if len(ids) > 1:
        raise UsageError(f"{name!r} fits several nights: {', '.join(ids[:4])}", hint="give more of the id")
    night = store.night(ids[0]) if ids else None
    if night is None:
        hint = "bench nights lists them; the newest is called last" if store.nights() else _NO_NIGHT
        raise UsageError(f"no night {name!r} in {store.address}", hint=hint)
    return night
