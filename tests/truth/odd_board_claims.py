"""Boards of one kind: how far they lie apart is told, and the one that is 6 % off is named.

The deviation of boards is theirs alone: that of their runs comes on top.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from claim import Claim, Source
from rkbench.stats.boards import board_levels, board_variance, odd_boards, two_boards

RUNS, LOADS, BLOCKS = 3, 3, 4
#: Standard deviations within a board: from run to run, and from block to block.
RUN, BLOCK = 0.005, 0.01

Runs = list[list[list[float]]]


def staged(
    source: Source, boards: int, between: float, odd: float = 0.0, odd_count: int = 1
) -> dict[str, Runs]:
    """Return boards with runs of loads of blocks; the first `odd_count` take longer by the part `odd`."""
    found = {}
    for number in range(boards):
        level = source.normal(0, between) + (np.log1p(odd) if number < odd_count else 0.0)
        found[f"b{number}"] = [
            [[float(level + run + source.normal(0, BLOCK)) for _ in range(BLOCKS)] for _ in range(LOADS)]
            for run in source.normal(0, RUN, RUNS)
        ]
    return found


def names(source: Source, boards: int, between: float, odd: float, odd_count: int = 1) -> tuple[str, ...]:
    """Return who is called odd."""
    return odd_boards(board_levels(staged(source, boards, between, odd, odd_count)))


def _found(boards: int, between: float, odd_count: int, source: Source) -> bool:
    return set(names(source, boards, between, 0.06, odd_count)) >= {f"b{n}" for n in range(odd_count)}


def _false(boards: int, between: float, source: Source) -> bool:
    return bool(names(source, boards, between, 0.0))


def _two_differ(odd: float, source: Source) -> bool:
    found = two_boards(*staged(source, 2, 0.005, odd).values())
    assert found.low is not None and found.high is not None
    return found.low > 0 or found.high < 0


def _range_covers(source: Source) -> bool:
    found = board_variance(list(staged(source, 10, 0.01).values()))
    assert found.board_low is not None and found.board_high is not None
    return found.board_low <= 0.01 <= found.board_high


def _component(part: str, source: Source) -> float:
    return float(getattr(board_variance(list(staged(source, 10, 0.01).values())), part) * 100)


ODD_BOARD_CLAIMS = [
    *(
        Claim(
            f"{boards} boards, sd {sd * 100:g} %, one 6 % off: named",
            partial(_found, boards, sd, 1), None, least,
        )
        for boards, sd, least in ((5, 0.005, 0.86), (8, 0.005, 0.98), (10, 0.01, 0.85), (20, 0.01, 0.93))
    ),
    Claim("10 boards, sd 0.5 %, two 6 % off: both named", partial(_found, 10, 0.005, 2), None, 0.95),
    *(
        Claim(f"{boards} equal boards, sd {sd * 100:g} %: one named", partial(_false, boards, sd), 0.075)
        for boards, sd in ((3, 0.01), (5, 0.005), (5, 0.02), (10, 0.01), (20, 0.02))
    ),
    Claim("2 boards 6 % apart: said to differ", partial(_two_differ, 0.06), None, 0.95),
    Claim("10 boards, sd 1 %: the range of sd covers (90 %)", _range_covers, None, 0.87),
    Claim("10 boards, sd 1 %: told of them, % (mean)", partial(_component, "board"), 1.05, scatter=0.3),
    Claim("runs of a board, sd 0.5 %: told, % (mean)", partial(_component, "run"), 0.55, scatter=0.15),
    Claim("blocks of a run, sd 1 %: told, % (mean)", partial(_component, "block"), 1.03, scatter=0.06),
]  # fmt: skip
