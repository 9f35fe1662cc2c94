"""What `bench nightly` and `bench baseline` do with their options."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from rkbench.boards.inventory import find_inventory, load_inventory
from rkbench.campaign.plan import owner
from rkbench.errors import UsageError
from rkbench.nightly.accept import accept_night
from rkbench.nightly.begin import FRESH, RESUME, Terms
from rkbench.nightly.cells import fingerprint, make_cells
from rkbench.nightly.lock import run_lock
from rkbench.nightly.night import run_night
from rkbench.nightly.suite import load_suite
from rkbench.session import open_session
from rkbench.store.sqlite import Store, default_path
from rkbench.views.nightly.console import NightProgress, show_night
from rkbench.views.output import STDOUT, check_output


@dataclass(frozen=True)
class NightWishes:
    """The options of `bench nightly`, as given."""

    suite: Path
    junit_file: str | None
    markdown_file: str | None
    json_file: str | None
    time_budget: float | None
    resume: bool | None
    store: Path | None
    inventory: Path | None


def run_and_show(wishes: NightWishes) -> int:
    """Run the night and show it; returns the exit code."""
    _check(wishes)
    suite = load_suite(wishes.suite)
    cells = make_cells(suite, load_inventory(find_inventory(wishes.inventory)))
    path = wishes.store or default_path()
    terms = Terms({True: RESUME, False: FRESH, None: ""}[wishes.resume], wishes.time_budget)
    with run_lock(path, suite.name, owner()), Store(path) as store:
        night = run_night(
            suite.name,
            fingerprint(suite, cells),
            cells,
            store,
            open_session,
            NightProgress(sys.stderr),
            terms,
        )
    show_night(
        night,
        junit_file=wishes.junit_file,
        markdown_file=wishes.markdown_file,
        json_file=wishes.json_file,
    )
    if night.interrupted:
        raise KeyboardInterrupt
    return night.exit_code


def accept_and_show(name: str, note: str, path: Path | None) -> None:
    """Accept the runs of a night as baselines, and say which."""
    with Store(path or default_path()) as store:
        accepted, left = accept_night(store, name, note)
    for baseline in accepted:
        print(f"{baseline.variant} on {baseline.board} ({baseline.plan}): {baseline.run}")
    for line in left:
        print(f"left out: {line}", file=sys.stderr)


def _check(wishes: NightWishes) -> None:
    targets = [
        target for target in (wishes.junit_file, wishes.markdown_file, wishes.json_file) if target is not None
    ]
    if targets.count(STDOUT) > 1:
        raise UsageError("two formats cannot both have stdout", hint="give one of them a file")
    for target in targets:
        check_output(target)
