"""A night as it is asked for: a suite file, the boards of an inventory, a store that no other night uses."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rkbench.boards.provider import open_boards
from rkbench.campaign.plan import owner
from rkbench.errors import NightlyBusyError, StoreUnavailableError
from rkbench.nightly.begin import Terms
from rkbench.nightly.cells import boards_of, fingerprint, make_cells
from rkbench.nightly.converting import convert_models
from rkbench.nightly.lock import run_lock
from rkbench.nightly.night import run_night
from rkbench.nightly.suite import load_suite
from rkbench.results.night import Night, NightListener
from rkbench.session import Sessions
from rkbench.store import Store, default_address, open_store
from rkbench.store.addresses import without_password

#: A server that is being started anew is waited for so long: a night is not given up for it.
STORE_WAIT_S = 60.0


def run_suite(
    path: Path,
    listener: NightListener,
    terms: Terms,
    *,
    store: str | None = None,
    inventory: Path | None = None,
) -> Night:
    """Run the suite in the file `path`, and return its night; raises what `run_night` raises."""
    suite = load_suite(path)
    boards = open_boards(inventory, suite.wait_s)
    found = boards_of(suite, boards.find)
    address = store or default_address()
    with run_lock(address, suite.name, owner()):
        models = convert_models(suite, found, listener)
        cells = make_cells(suite, boards.find, models)
        with (
            _opened(address, path) as opened,
            opened.holding(f"night of {suite.name}") as is_alone,
            Sessions(boards.hold) as sessions,
        ):
            if not is_alone:
                raise NightlyBusyError(
                    f"another host runs the suite {suite.name!r} with this store",
                    hint="wait for its end, or give the suite of this host a name of its own",
                )
            mark = fingerprint(suite, cells)
            return run_night(suite.name, mark, cells, opened, sessions.open, listener, terms)


@contextmanager
def _opened(address: str, suite: Path) -> Iterator[Store]:
    """Yield the store; raises StoreError, which for a server that is away says how to do without."""
    try:
        store = open_store(address, wait_s=STORE_WAIT_S)
    except StoreUnavailableError as error:
        raise StoreUnavailableError(
            error.message,
            hint=f"{error.hint}\n"
            "no board was touched: the baselines and the nights before lie there\n"
            f"without them: bench nightly {shlex.quote(str(suite))} --store FILE; and later, with the server:"
            f" bench store copy FILE {shlex.quote(without_password(address))}",
        ) from error
    with store:
        yield store
