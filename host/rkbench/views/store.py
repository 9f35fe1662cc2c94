"""The store as a whole on a terminal: what it holds, what is damaged, what was copied."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from rkbench.campaign.keeping import Pruned, StoreCheck
from rkbench.store.addresses import without_password
from rkbench.store.copying import Copied
from rkbench.units import format_bytes
from rkbench.views.terminal import make_console

MOST_FAULTS = 20
SO_FAR_EVERY, FILES_EVERY = 10_000, 1000


def show_check(found: StoreCheck, out: TextIO | None = None) -> None:
    """Print what a store holds and what of it is damaged."""
    counted = f"{_count(found.runs, 'run')}, {_count(found.nights, 'night')}"
    state = f"{len(found.faults)} damaged" if found.faults else "all of it can be read"
    _print([f"{found.address}: {counted}; {state}", *_shown(found.faults)], out)
    if found.faults:
        _print(["the rest is usable; what can be saved: bench store import FILE --store NEW"], out)


def show_backup(target: Path, lacking: Sequence[str] = (), out: TextIO | None = None) -> None:
    """Print where the copy is, how large, and what it lacks."""
    are = "is" if len(lacking) == 1 else "are"
    what = f"; {_count(len(lacking), 'entry', 'entries')} could not be read and {are} not in it"
    told = f"wrote {target}, {format_bytes(target.stat().st_size)}{what if lacking else ''}"
    _print([f"{told}; to use it: --store {target}", *_shown(lacking)], out)


def show_imported(found: Copied, source: Path | str, out: TextIO | None = None) -> None:
    """Print what was taken in."""
    there = f", {_count(found.there, 'run')} there already" if found.there else ""
    what = f"{_count(found.runs, 'run')}, {_count(found.nights, 'night')}, {_count(found.tags, 'tag')}"
    what += f", {_count(found.baselines, 'baseline')}" if found.baselines else ""
    _print([f"{without_password(str(source))}: {what} taken in{there}", *_shown(found.faults)], out)


def show_pruned(found: Pruned, out: TextIO | None = None) -> None:
    """Print what went, or would go."""
    what = (
        f"the raw latencies of {_count(found.runs, 'run')}" if found.raw_only else _count(found.runs, "run")
    )
    nights = "" if found.raw_only or found.planned else f" and {_count(found.nights, 'night')}"
    _print([f"{what}{nights} {'would go' if found.planned else 'removed'}"], out)


def show_migrated(address: str, version: str, out: TextIO | None = None) -> None:
    """Print which version a store has now."""
    _print([f"{without_password(address)}: version {version}"], out)


def show_so_far(runs: int, done: str) -> None:
    """Tell on stderr how far something long has come, now and then."""
    if runs and runs % SO_FAR_EVERY == 0:
        print(f"{runs} runs {done} so far", file=sys.stderr, flush=True)


def show_files_so_far(written: int, of: int) -> None:
    """Tell on stderr that files are written, and now and then how many of them are."""
    if written == 0:
        print(f"writing {_count(of, 'file')} ...", file=sys.stderr, flush=True)
    elif written % FILES_EVERY == 0:
        print(f"{written} of {of} files written so far", file=sys.stderr, flush=True)


def _shown(faults: Sequence[str]) -> list[str]:
    more = len(faults) - MOST_FAULTS
    return [f"  {text}" for text in faults[:MOST_FAULTS]] + ([f"  and {more} more"] if more > 0 else [])


def _count(number: int, noun: str, plural: str = "") -> str:
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"


def _print(lines: Sequence[str], out: TextIO | None) -> None:
    from rich.text import Text

    console = make_console(out or sys.stdout)
    for line in lines:
        console.print(Text(line), soft_wrap=True)
