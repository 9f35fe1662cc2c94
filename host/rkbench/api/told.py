"""A failure in Python says what the command line says: its message, and the next step as a note below."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rkbench.decoding.tables import typed_values
from rkbench.errors import BenchError, UsageError


@contextmanager
def with_hint() -> Iterator[None]:
    """Add the hint of a BenchError to its traceback, where Python has notes (3.11)."""
    try:
        yield
    except BenchError as error:
        if error.hint and hasattr(error, "add_note"):
            error.add_note(f"→ {error.hint}")
        raise


def check_types(function: str, types: Mapping[str, Any], **given: object) -> None:
    """Raise UsageError where a function was given another type than `types` say; None is nothing."""
    plain = {
        word: os.fspath(value) if isinstance(value, os.PathLike) and types[word] is Path else value
        for word, value in given.items()
        if value is not None
    }
    typed_values(plain, types, f"rkbench.{function}", UsageError)
