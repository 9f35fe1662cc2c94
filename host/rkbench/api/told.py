"""A failure in Python says what the command line says: its message, and the next step as a note below."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rkbench.errors import BenchError


@contextmanager
def with_hint() -> Iterator[None]:
    """Add the hint of a BenchError to its traceback, where Python has notes (3.11)."""
    try:
        yield
    except BenchError as error:
        if error.hint and hasattr(error, "add_note"):
            error.add_note(f"→ {error.hint}")
        raise
