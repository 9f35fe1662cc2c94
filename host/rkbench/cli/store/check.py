"""`bench store check`: whether everything in the store can be read."""

from __future__ import annotations

from rkbench.cli import options


def check(store: options.Store = None) -> int:
    """Read everything in the store, and say what is damaged: exit 1."""
    from rkbench.campaign.keeping import check_store
    from rkbench.views.store import show_check

    found = check_store(store)
    show_check(found)
    return 1 if found.faults else 0
