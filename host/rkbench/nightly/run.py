"""A night as it is asked for: a suite file, the boards of an inventory, a store that no other night uses."""

from __future__ import annotations

from pathlib import Path

from rkbench.boards.inventory import find_inventory, load_inventory
from rkbench.campaign.plan import owner
from rkbench.nightly.begin import Terms
from rkbench.nightly.cells import fingerprint, make_cells
from rkbench.nightly.lock import run_lock
from rkbench.nightly.night import run_night
from rkbench.nightly.suite import load_suite
from rkbench.runs.night import Night, NightListener
from rkbench.session import open_session
from rkbench.store.sqlite import Store, default_path


def run_suite(
    path: Path,
    listener: NightListener,
    terms: Terms,
    *,
    store: Path | None = None,
    inventory: Path | None = None,
) -> Night:
    """Run the suite in the file `path`, and return its night; raises what `run_night` raises."""
    suite = load_suite(path)
    cells = make_cells(suite, load_inventory(find_inventory(inventory)))
    place = store or default_path()
    with run_lock(place, suite.name, owner()), Store(place) as opened:
        mark = fingerprint(suite, cells)
        return run_night(suite.name, mark, cells, opened, open_session, listener, terms)
