"""`bench toolkit list`: the converters that are installed."""

from __future__ import annotations


def list_toolkits() -> None:
    """List the versions of rknn-toolkit2, and which of them are installed."""
    from rkbench.toolkit.environment import folder_of, state_of
    from rkbench.toolkit.versions import VERSIONS
    from rkbench.views.toolkit import show_toolkits

    show_toolkits([(version, folder_of(version), *state_of(version)) for version in VERSIONS])
