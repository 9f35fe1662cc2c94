"""A site written to a folder: only what is not there yet, and all of it or nothing.

What is new is written beside first, in a folder of its own within the target. Only when all of it is there
are files put into their places, each at once; `site.json`, the list of what the site holds, comes last.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rkbench.errors import UsageError
from rkbench.store import Store
from rkbench.views.history_files import tags_by_run
from rkbench.views.output import ESCAPE, explained
from rkbench.views.report.page import report_style
from rkbench.views.site.listing import Listing
from rkbench.views.site.pages import PARTS, SitePage, pages_of
from rkbench.views.site.search import search_pages

MANIFEST = "site.json"
_NEW = re.compile(r"\.new-\d+")
SCHEMA = "rkbench-site/1"


@dataclass(frozen=True)
class BuiltSite:
    """What a build did: so many files written, left as they were, and removed."""

    written: int
    kept: int
    removed: int


def build_site(store: Store, target: Path, told: Callable[[int, int], None] = lambda *_: None) -> BuiltSite:
    """Write the site of a store to the folder `target`; what is there and shows the same is left.

    `told` hears before each file how many are written, and of how many that have to be.

    Raises UsageError for a folder that holds something else, or cannot be written, BenchError for a full
    disk: the site is then as it was.
    """
    before = _read(target)
    listing = listing_of(store)
    pages = [*_fixed(), *pages_of(listing, store), *search_pages(listing)]
    wanted = {page.path: page.digest for page in pages}
    stale = [page for page in pages if not _is_there(page, before, target)]
    gone = sorted(set(before) - set(wanted))
    with explained(target), _beside(target) as fresh:
        for number, page in enumerate(stale):
            told(number, len(stale))
            _write(fresh / page.path, page.render())
        if not before and not (target / MANIFEST).exists():  # what is killed from here on is known as a site
            _write(target / MANIFEST, json.dumps({"schema": SCHEMA, "files": {}}) + "\n")
        _write(fresh / MANIFEST, json.dumps({"schema": SCHEMA, "files": wanted}, indent=0) + "\n")
        _place(fresh, target, [*(page.path for page in stale), MANIFEST])
        for path in gone:
            (target / path).unlink(missing_ok=True)
    return BuiltSite(len(stale), len(pages) - len(stale), len(gone))


def _is_there(page: SitePage, before: Mapping[str, str], target: Path) -> bool:
    return before.get(page.path) == page.digest and (target / page.path).is_file()


def listing_of(store: Store) -> Listing:
    """Return all that a store holds, as rows."""
    nights = [night for night_id in store.nights() if (night := store.night(night_id)) is not None]
    accepted = frozenset(baseline.run for baseline in store.baselines())
    return Listing(tuple(store.history()), tuple(nights), tags_by_run(store.tags()), accepted)


def _fixed() -> Iterator[SitePage]:
    """Yield what is the same in all sites: style and script."""
    style = report_style() + (PARTS / "site.css").read_text("utf-8")
    script = (PARTS / "site.js").read_text("utf-8")
    for path, text in (("site.css", style), ("site.js", script)):
        yield SitePage(path, hashlib.sha256(text.encode()).hexdigest(), partial(str, text))


def _read(target: Path) -> dict[str, str]:
    """Return the digests of the files that a site there has; raises UsageError where something else is."""
    manifest = target / MANIFEST
    try:
        if not manifest.exists():
            if target.exists() and any(not _NEW.fullmatch(entry.name) for entry in target.iterdir()):
                hint = "name a new folder, or an empty one: a site removes what it no longer holds"
                raise UsageError(f"{target}: a folder that holds something else than a site", hint=hint)
            return {}
        found = json.loads(manifest.read_text("utf-8"))
        return {str(path): str(digest) for path, digest in found["files"].items() if _is_inside(str(path))}
    except OSError as error:
        raise UsageError(f"{target}: {error.strerror}", hint="choose another folder") from error
    except (ValueError, KeyError, AttributeError, TypeError):
        return {}  # a list that is damaged says nothing: all is written anew


def _is_inside(path: str) -> bool:
    parts = Path(path).parts
    return bool(parts) and not Path(path).is_absolute() and ".." not in parts


@contextlib.contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """Yield a folder for what is new, on the same disk; what is left in it goes with it."""
    target.mkdir(parents=True, exist_ok=True)
    for old in target.glob(".new-*"):
        if not _is_alive(old.name.rpartition("-")[2]):
            shutil.rmtree(old, ignore_errors=True)
    fresh = target / f".new-{os.getpid()}"
    try:
        fresh.mkdir()
        yield fresh
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        with contextlib.suppress(OSError):
            target.rmdir()  # where nothing was put into it


def _is_alive(number: str) -> bool:
    """Return whether the process that made a folder still builds; one that was killed does not."""
    return number.isdecimal() and Path(f"/proc/{number}").exists()


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", errors=ESCAPE)


def _place(fresh: Path, target: Path, paths: Sequence[str]) -> None:
    for folder in {(target / path).parent for path in paths}:
        folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        (fresh / path).replace(target / path)
