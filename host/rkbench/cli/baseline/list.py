"""`bench baseline list`: what nights are held against."""

from __future__ import annotations

from rkbench.cli import options


def list_baselines(store: options.Store = None) -> None:
    """List the baselines in force."""
    import sys

    from rkbench.store.nights import baselines
    from rkbench.store.sqlite import Store, default_path
    from rkbench.views.nightly.console import print_baselines

    with Store(store or default_path()) as opened:
        print_baselines(baselines(opened), sys.stdout)
