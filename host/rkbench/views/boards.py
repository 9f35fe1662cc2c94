"""The boards of the inventory, one line each."""

from __future__ import annotations

from datetime import datetime, timezone


def board_line(name: str, soc: str | None, address: str, tags: tuple[str, ...], status: str = "") -> str:
    """Return one board; `status` is what `bench boards list --status` found."""
    return f"{name:16} {soc or '–':8} {address:28} {' '.join(tags):16} {status}".rstrip()


def status_words(fault: str | None, owner: str | None, reason: str | None, since_unix_s: float | None) -> str:
    """Return how a board is: free, held by whom for what since when, or why it does not answer."""
    if fault is not None:
        return f"no answer: {fault}"
    if owner is None:
        return "free"
    since = ""
    if since_unix_s is not None:
        since = datetime.fromtimestamp(since_unix_s, timezone.utc).strftime(" since %Y-%m-%d %H:%M:%S UTC")
    return f"held by {owner}{f' for {reason}' if reason else ''}{since}"
