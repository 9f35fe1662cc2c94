"""What came of one push on several boards, board by board."""

from __future__ import annotations

from dataclasses import dataclass

from rkbench.results.comparison import Comparison


@dataclass(frozen=True)
class PushedBoard:
    """One board: its push with its runs and their comparison, or why nothing was measured there."""

    board: str
    push: str | None = None
    runs: tuple[str, ...] = ()
    comparison: Comparison | None = None
    error: str | None = None
    advice: str = ""
