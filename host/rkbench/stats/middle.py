"""Medians and quartiles of many short blocks: a call of numpy for each costs more than all their sorting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Block = Sequence[float] | NDArray[Any]


def medians(blocks: Sequence[Block]) -> list[float]:
    """Return the median of each block, in order."""
    import numpy as np  # not at the top: a help page and an inspection need none

    levels = [0.0] * len(blocks)
    for places, table in _tables(blocks):
        for place, level in zip(places, np.median(table, axis=1).tolist(), strict=True):
            levels[place] = level
    return levels


def quartile_ranges(blocks: Sequence[Block]) -> list[float]:
    """Return for each block, in order, how far its upper quartile lies above its lower one."""
    import numpy as np

    ranges = [0.0] * len(blocks)
    for places, table in _tables(blocks):
        low, high = np.percentile(table, [25, 75], axis=1)
        for place, distance in zip(places, (high - low).tolist(), strict=True):
            ranges[place] = distance
    return ranges


def _tables(blocks: Sequence[Block]) -> Iterator[tuple[list[int], NDArray[Any]]]:
    """Yield the places of the blocks of one length, and these as the rows of a table."""
    import numpy as np

    places: dict[int, list[int]] = {}
    for place, block in enumerate(blocks):
        places.setdefault(len(block), []).append(place)
    for length, alike in places.items():
        yield alike, np.concatenate([blocks[place] for place in alike]).reshape(-1, length)
