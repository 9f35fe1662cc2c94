"""`bench store migrate`: the schema of a store, brought forward."""

from __future__ import annotations

from rkbench.cli import options


def migrate(store: options.Store = None) -> None:
    """Bring a store to the version that this rkbench writes.

    A file is brought forward whenever it is opened; a store on a server only by this, for others use it.
    """
    from rkbench.store.opening import default_address, migrate_store
    from rkbench.views.store import show_migrated

    address = store or default_address()
    show_migrated(address, migrate_store(address))
