"""Documents that an rkbench wrote, this version or another, as the dataclasses they were made of.

Fields that are unknown here are ignored; those that are absent have their default.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from rkbench.decoding.building import BUILDING
from rkbench.errors import DocumentError

T = TypeVar("T")


def read_document(kind: type[T], text: str | bytes, what: str) -> T:
    """Return the `kind` that JSON text holds; raises DocumentError, which names `what` it is."""
    return typed(kind, parse(text, what), what)


def parse(text: str | bytes, what: str) -> Any:
    """Return the value of JSON text; raises DocumentError."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, TypeError) as error:
        raise DocumentError(f"{what} is no JSON: {error}", hint=_HINT) from error


def typed(kind: type[T], value: Any, what: str) -> T:
    """Return the `kind` of a JSON value; raises DocumentError."""
    try:
        with BUILDING:
            return msgspec.convert(value, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        raise DocumentError(f"{what} is not as it should be: {error}", hint=_HINT) from error


_HINT = "was it written by a newer rkbench, or edited? update rkbench, or choose another store: --store FILE"
