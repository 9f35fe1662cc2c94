"""How long the boards of a night stood idle though cells waited for them: pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from rkbench.results.night import BoardHold, Night


def with_idle(night: Night) -> Night:
    """Return `night` with the `idle_ratio` of its boards; one gone on with stood still between."""
    if night.resumed:
        return night
    holds: dict[str, list[BoardHold]] = defaultdict(list)
    for cell in night.cells:
        holds[cell.board].extend(cell.holds)
    for board in night.boards:
        holds[board.name].extend([board.sending] if board.sending else [])
    boards = (
        replace(board, idle_ratio=_idle_ratio(night.started_unix_s, holds[board.name]))
        for board in night.boards
    )
    return replace(night, boards=tuple(boards))


def _idle_ratio(begun_unix_s: float, holds: list[BoardHold]) -> float | None:
    """Return the share of the time from the night's begin to the end of the last hold that is in no hold.

    None without holds, and where the clock was set back by more than the night took.
    """
    span_s = max((hold.since_unix_s + hold.duration_s - begun_unix_s for hold in holds), default=0.0)
    if span_s <= 0:
        return None
    return min(1.0, max(0.0, 1 - sum(hold.duration_s for hold in holds) / span_s))
