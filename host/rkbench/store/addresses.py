"""The address of a store as it is typed: a path, or a URL that may hold a password, which is never shown."""

from __future__ import annotations

import re

HIDDEN = "***"
#: `USER:PASSWORD@` of a URL; a password with an `@` in it reaches to the last one.
_IN_PLACE = re.compile(r"(?P<before>://[^:/@?]*:)(?P<secret>[^?]*)(?=@)")
_IN_QUERY = re.compile(r"(?P<before>[?&](?:password|sslpassword)=)(?P<secret>[^&]*)")
_TORN = re.compile(r"postgres\w*(\+\w+)?(:/|//)", re.IGNORECASE)


def scheme_of(address: str) -> str:
    """Return the scheme of a URL; "" for a path."""
    scheme, separator, _ = address.partition("://")
    return scheme.lower() if separator and scheme.replace("+", "").isidentifier() else ""


def is_torn_url(address: str) -> bool:
    """Return whether an address is meant as a URL of PostgreSQL, but lacks a part of its `://`."""
    return not scheme_of(address) and _TORN.match(address) is not None


def without_password(address: str) -> str:
    """Return an address as messages may have it."""
    if not scheme_of(address):
        return address
    return _IN_QUERY.sub(rf"\g<before>{HIDDEN}", _IN_PLACE.sub(rf"\g<before>{HIDDEN}", address))


def has_password(address: str) -> bool:
    """Return whether somebody who sees the address knows a password."""
    return without_password(address) != address
