"""The boards of the inventory, one line each, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timezone

from rkbench_agent.wire.board import Waiter

from rkbench.boards.health import quarantine_words, taken_out
from rkbench.boards.model import Board
from rkbench.campaign.status import BoardStatus
from rkbench.units import printable


def show_boards(boards: Sequence[Board], *, as_json: bool) -> None:
    """Print the boards as the inventory knows them, and which of them are taken out."""
    out = taken_out(boards)
    if as_json:
        told = [{**board.to_json(), "quarantined": board.name in out} for board in boards]
        print(json.dumps(told, indent=2))
        return
    for board in boards:
        words = f"taken out: {quarantine_words(out[board.name])}" if board.name in out else ""
        _print(board_line(board.name, board.soc, board.address, board.tags, words))


def show_states(states: Sequence[BoardStatus], *, as_json: bool) -> None:
    """Print the boards with what they answered."""
    if as_json:
        print(json.dumps([state.to_json() for state in states], indent=2))
        return
    for state in states:
        board = state.board
        words = status_words(state.fault, state.owner, state.reason, state.since_unix_s)
        words = f"taken out: {state.fault}" if state.quarantined else words
        words = "free; its hooks ready it when it is used" if state.unready else words
        _print(board_line(board.name, board.soc, board.address, board.tags, words))
        for place, waiter in enumerate(state.waiting, 1):
            _print(f"  {place}. {waiter_words(waiter)}")


def waiter_words(waiter: Waiter) -> str:
    """Return who waits for a board, since when, for what and with what priority."""
    what = f" for {waiter.reason}" if waiter.reason else ""
    first = f", priority {waiter.priority}" if waiter.priority else ""
    return f"{waiter.owner} waits{what}{first}{_since(waiter.since_unix_ns)}"


def _since(unix_ns: int | None) -> str:
    if unix_ns is None:
        return ""
    return datetime.fromtimestamp(unix_ns / 1e9, timezone.utc).strftime(" since %Y-%m-%d %H:%M:%S UTC")


def _print(line: str) -> None:
    print(printable(line))


def board_line(name: str, soc: str | None, address: str, tags: tuple[str, ...], status: str = "") -> str:
    """Return one board; `status` is what `bench boards list --status` found."""
    return f"{name:16} {soc or '–':8} {address:28} {' '.join(tags):16} {status}".rstrip()


def status_words(fault: str | None, owner: str | None, reason: str | None, since_unix_s: float | None) -> str:
    """Return how a board is: free, held by whom for what since when, or why it does not answer."""
    if fault is not None:
        return f"no answer: {fault}"
    if owner is None:
        return "free"
    since = _since(None if since_unix_s is None else round(since_unix_s * 1e9))
    return f"held by {owner}{f' for {reason}' if reason else ''}{since}"
