"""Tags of stored runs: given, taken, listed."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rkbench.errors import UsageError
from rkbench.results.ids import SHOWN_CHARACTERS
from rkbench.store import Store, read_store
from rkbench.store.base import RunTag
from rkbench.store.lookup import find_runs, is_reserved

LONGEST_TAG, LONGEST_NOTE = 60, 1000
_TAG = re.compile(r"[^\W_][\w.+-]*")


def tag_runs(
    address: str | Path | None,
    name: str,
    tag: str,
    note: str = "",
    *,
    remove: bool = False,
    unix_s: Callable[[], float] = time.time,
) -> Sequence[str]:
    """Give a tag to the runs that `name` means, or take it from them; returns their ids.

    Raises UsageError for what is no tag: it would mean something else where a run is named.
    """
    _check(tag, note)
    with read_store(address) as store:
        runs = [run.id for run in find_runs(store, name)]
        if not remove:
            _check_means_no_other(store, tag, runs)
            now_s = unix_s()
            store.save_tags([RunTag(run, tag, note, now_s) for run in runs])
        elif not store.remove_tag(tag, runs):
            raise UsageError(f"{name} has no tag {tag!r}", hint="list them: bench tag")
        return runs


def _check_means_no_other(store: Store, tag: str, runs: Sequence[str]) -> None:
    """Raise UsageError for a tag that is another run's id, as shown or longer: it would hide that run."""
    others = sorted(set(store.find(tag)) - set(runs)) if len(tag) >= SHOWN_CHARACTERS else []
    if others:
        hint = "choose another word; the run comes first, then its tag: bench tag RUN TAG"
        raise UsageError(f"{tag!r} means the run {others[0]}", hint=hint)


def list_tags(
    address: str | Path | None, name: str | None, *, note: str = "", remove: bool = False
) -> list[RunTag]:
    """Return all tags, or those of the runs that `name` means."""
    if note or remove:
        raise UsageError(
            "no tag is named", hint="bench tag RUN TAG --note TEXT, or bench tag RUN TAG --remove"
        )
    with read_store(address) as store:
        if name is None:
            return store.tags()
        runs = {run.id for run in find_runs(store, name)}
        return [item for item in store.tags() if item.run in runs]


def _check(tag: str, note: str) -> None:
    if not _TAG.fullmatch(tag) or len(tag) > LONGEST_TAG:
        raise UsageError(
            f"{tag!r} is no tag",
            hint=f"letters, digits and . _ + -, at most {LONGEST_TAG}: before-driver-0.9.8",
        )
    if is_reserved(tag):
        hint = "choose another word; the run comes first, then its tag: bench tag RUN TAG"
        raise UsageError(f"{tag!r} means something else where a run is named", hint=hint)
    if len(note) > LONGEST_NOTE:
        raise UsageError(f"a note of {len(note)} characters", hint=f"at most {LONGEST_NOTE}")
