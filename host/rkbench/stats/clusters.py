"""Which calls of a run stand together: those of a load where there were several, else those of a block.

Calls of a block share clock and temperature, and blocks share the level of their load (where a model's
buffers came to lie). What is independent of the next, the *unit*, is therefore the load. Where there was one
load its blocks are the units, and what they say holds for this load only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Calls = Sequence[float] | NDArray[Any]

Unit = Literal["block", "load"]
BLOCK: Final = "block"
LOAD: Final = "load"


@dataclass(frozen=True)
class Clusters:
    """The calls of a run in groups, none empty and each independent of the next; in any unit of time."""

    groups: tuple[Calls, ...]
    unit: Unit = BLOCK

    @property
    def count(self) -> int:
        """How many calls there are in all."""
        return sum(map(len, self.groups))


def clusters_of(loads: Sequence[Sequence[Calls]]) -> Clusters:
    """Return the clusters of the blocks of each load, in order; empty ones count for nothing."""
    import numpy as np  # not at the top: a help page and an inspection need none

    filled = [load for blocks in loads if (load := [block for block in blocks if len(block)])]
    if len(filled) < 2:
        return Clusters(tuple(block for load in filled for block in load))
    return Clusters(tuple(np.concatenate(load) for load in filled), LOAD)
