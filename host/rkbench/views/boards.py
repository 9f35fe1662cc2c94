"""The boards of the inventory, one line each, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rkbench_agent.wire.board import Waiter

from rkbench.boards.health import quarantine_words, taken_out
from rkbench.boards.model import Board
from rkbench.campaign.status import BoardStatus
from rkbench.units import UNKNOWN, format_moment, printable
from rkbench.views.columns import left


def show_boards(boards: Sequence[Board], *, as_json: bool) -> None:
    """Print the boards as the inventory knows them, and which of them are taken out."""
    out = taken_out(boards)
    if as_json:
        told = [{**board.to_json(), "quarantined": board.name in out} for board in boards]
        print(json.dumps(told, indent=2))
        return
    states = [
        (board, f"taken out: {quarantine_words(out[board.name])}" if board.name in out else "")
        for board in boards
    ]
    for line in board_lines(states):
        _print(line)


def show_states(states: Sequence[BoardStatus], *, as_json: bool) -> None:
    """Print the boards with what they answered."""
    if as_json:
        print(json.dumps([state.to_json() for state in states], indent=2))
        return
    lines = board_lines([(state.board, _state_words(state)) for state in states])
    for state, line in zip(states, lines, strict=True):
        _print(line)
        for place, waiter in enumerate(state.waiting, 1):
            _print(f"  {place}. {waiter_words(waiter)}")


def _state_words(state: BoardStatus) -> str:
    if state.quarantined:
        return f"taken out: {state.fault}"
    if state.unready:
        return "free; its hooks ready it when it is used"
    # The board is named in front.
    fault = state.fault and state.fault.removeprefix(f"board {state.board.name!r}: ")
    return status_words(fault, state.owner, state.reason, state.since_unix_s)


def waiter_words(waiter: Waiter) -> str:
    """Return who waits for a board, since when, for what and with what priority."""
    what = f" for {waiter.reason}" if waiter.reason else ""
    first = f", priority {waiter.priority}" if waiter.priority else ""
    return f"{waiter.owner} waits{what}{first}{_since(waiter.since_unix_ns)}"


def _since(unix_ns: int | None) -> str:
    if unix_ns is None:
        return ""
    return f" since {format_moment(unix_ns / 1e9)}"


def _print(line: str) -> None:
    print(printable(line))


def board_lines(boards: Sequence[tuple[Board, str]]) -> list[str]:
    """Return a line for each board, in columns as wide as they are filled, and behind it its state."""
    cells = [(board.name, board.soc or UNKNOWN, board.address, " ".join(board.tags)) for board, _ in boards]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(
            [*(left(text, width) for text, width in zip(row, widths, strict=True) if width), state]
        ).rstrip()
        for row, (_, state) in zip(cells, boards, strict=True)
    ]


def status_words(fault: str | None, owner: str | None, reason: str | None, since_unix_s: float | None) -> str:
    """Return how a board is: free, held by whom for what since when, or why it does not answer."""
    if fault is not None:
        return f"no answer: {fault}"
    if owner is None:
        return "free"
    since = _since(None if since_unix_s is None else round(since_unix_s * 1e9))
    return f"held by {owner}{f' for {reason}' if reason else ''}{since}"
