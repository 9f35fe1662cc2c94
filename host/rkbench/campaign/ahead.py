"""What a result needs, loaded while the board is waited for."""

from __future__ import annotations

from importlib import import_module
from threading import Thread

#: Its distributions make the intervals of a run: a quarter of a second that the user would wait at the end.
NEEDED = "scipy.special"


def load_ahead() -> Thread:
    """Begin to load it; whoever imports it before it is there waits for the rest alone."""
    # No daemon: Python must not end in the middle of an import.
    thread = Thread(target=import_module, args=(NEEDED,), name="load-ahead")
    thread.start()
    return thread
