"""A board's address as people write it: `[user@]host[:port]`."""

from __future__ import annotations

PORTS = range(1, 65536)


def is_word(text: str) -> bool:
    """Return whether `text` can stand for a host or a user: one word that a line of ssh_config can hold."""
    return (
        bool(text)
        and text.isprintable()
        and not any(mark.isspace() or mark in "\"'#" for mark in text)
        and not text.startswith("-")
    )


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
    if not is_word(host) or "/" in host or (at and not is_word(user)):
        raise ValueError(f"{text!r} is no address")
    if port and not (port.isascii() and port.isdigit() and len(port) < 6 and int(port) in PORTS):
        raise ValueError(f"{port!r} is no port")
    return user or None, host, int(port) if port else None
