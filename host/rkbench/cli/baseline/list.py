"""`bench baseline list`: what nights are held against."""

from __future__ import annotations

from rkbench.cli import options


def list_baselines(store: options.Store = None) -> None:
    """List the baselines in force."""
    import sys

    from rkbench.store import read_store
    from rkbench.views.nightly.console import print_baselines

    with read_store(store) as opened:
        print_baselines(opened.baselines(), sys.stdout)
