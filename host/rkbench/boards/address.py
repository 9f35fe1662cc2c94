"""A board's address as people write it: `[user@]host[:port]`."""

from __future__ import annotations


def parse_address(text: str) -> tuple[str | None, str, int | None]:
    """Return user, host and port of `[user@]host[:port]` (IPv6: `[::1]:22`); raises ValueError."""
    user, at, rest = text.rpartition("@")
    if rest.startswith("["):
        host, bracket, tail = rest[1:].partition("]")
        if not bracket or (tail and not tail.startswith(":")):
            raise ValueError(f"{text!r} is no address")
        port = tail[1:]
    else:
        host, _, port = rest.partition(":") if rest.count(":") == 1 else (rest, "", "")
    if not host or (at and not user) or any(mark in host for mark in " \t/") or host.startswith("-"):
        raise ValueError(f"{text!r} is no address")
    if port and not (port.isdigit() and 0 < int(port) < 65536):
        raise ValueError(f"{port!r} is no port")
    return user or None, host, int(port) if port else None
