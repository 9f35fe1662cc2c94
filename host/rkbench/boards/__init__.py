"""Boards: where they are (inventory), how to reach them (SSH), how files get there, and virtual ones."""

from __future__ import annotations

import sys


def _import_paramiko_alone() -> None:
    """Import paramiko without `invoke`: 50 ms of every start, for `Match exec` of ssh_config alone.

    Where an ssh_config has such a line, `ssh_config` brings it in.
    """
    if "paramiko" in sys.modules or "invoke" in sys.modules:
        return
    sys.modules["invoke"] = None  # type: ignore[assignment]  # what Python documents to make an import fail
    try:
        import paramiko  # noqa: F401
    finally:
        del sys.modules["invoke"]


_import_paramiko_alone()
