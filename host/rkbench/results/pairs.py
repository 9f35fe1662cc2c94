"""Two runs of one push as pairs: which of their blocks make a quad A B B A, load by load.

Blocks are put in the order in which they were measured: that is what makes a quad, whatever a plan had in
mind. So runs of the first version have them too where they took turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from rkbench.results.latencies import RawLatencies
from rkbench.stats.paired import block_level, level_difference


class Turn(NamedTuple):
    """A timed block of a run: its load, when it began, its durations (ns), the logarithm of their median."""

    load: int
    start_ns: int
    durations_ns: Sequence[int]
    level: float


TurnQuad = tuple[Turn, Turn, Turn, Turn]
"""Blocks A, B, B, A; measured in this order, or as B A A B, which says the same."""


def turns_of(raw: RawLatencies) -> list[Turn]:
    """Return the timed blocks of a run, in order; without those that hold a call of no time at all."""
    starts = [start for start, _ in raw.block_windows_ns()]
    blocks = zip(raw.block_loads(), starts, raw.timed_blocks(), strict=True)
    return [
        Turn(load, start, block, level)
        for load, start, block in blocks
        if (level := block_level(block)) is not None
    ]


def quads_by_load(base: Sequence[Turn], other: Sequence[Turn]) -> list[list[TurnQuad]]:
    """Return the quads of two runs, load by load; loads without any are left out.

    A block is part of one quad at most. What a run has before or after the other makes none.
    """
    owned = [(turn, 0) for turn in base] + [(turn, 1) for turn in other]
    merged = sorted(owned, key=lambda item: (item[0].load, item[0].start_ns))
    loads = (_quads(list(items)) for _, items in groupby(merged, key=lambda item: item[0].load))
    return [quads for quads in loads if quads]


def load_differences(base: Sequence[Turn], other: Sequence[Turn]) -> list[list[float]]:
    """Return the differences of the quads of two runs, load by load (see `stats.paired`)."""
    return [
        [level_difference(*(turn.level for turn in quad)) for quad in quads]
        for quads in quads_by_load(base, other)
    ]


def _quads(turns: Sequence[tuple[Turn, int]]) -> list[TurnQuad]:
    found: list[TurnQuad] = []
    at = 0
    while at + 4 <= len(turns):
        (one, two, three, four), owners = zip(*turns[at : at + 4], strict=True)
        if owners == (0, 1, 1, 0):
            found.append((one, two, three, four))
        elif owners == (1, 0, 0, 1):
            found.append((two, one, four, three))
        else:
            at += 1
            continue
        at += 4
    return found
