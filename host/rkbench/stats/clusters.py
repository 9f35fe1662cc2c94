"""Which calls of a run stand together: those of a load where there were several, else those of a block.

Calls that arrive at random wait for those before them, until one waits for nobody: there the queue starts
afresh (a regeneration: Crane and Iglehart 1975), and from one such call to the next is a *busy period*.

Calls of a block share clock and temperature, and blocks share the level of their load (where a model's
buffers came to lie). What is independent of the next, the *unit*, is therefore the load. Where there was one
load its blocks are the units, and what they say holds for this load only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Calls = Sequence[float] | NDArray[Any]

Unit = Literal["block", "load", "busy period"]
BLOCK: Final = "block"
LOAD: Final = "load"
BUSY_PERIOD: Final = "busy period"


@dataclass(frozen=True)
class Clusters:
    """The calls of a run in groups, none empty and each independent of the next; in any unit of time.

    `values` are all calls, group after group, `lengths` how many each has: a million calls in half a million
    busy periods are two arrays. `levels` are other groups, whose level has to hold still for bounds to hold;
    None: `groups` themselves.
    """

    values: NDArray[Any]
    lengths: NDArray[np.int64]
    unit: Unit = BLOCK
    levels: tuple[NDArray[Any], ...] | None = None

    @property
    def count(self) -> int:
        """How many calls there are in all."""
        return len(self.values)

    @cached_property
    def groups(self) -> tuple[NDArray[Any], ...]:
        """The calls of each group."""
        import numpy as np

        return tuple(np.split(self.values, np.cumsum(self.lengths)[:-1])) if len(self.lengths) else ()


def clusters_of(loads: Sequence[Sequence[Calls]], unit: Unit = BLOCK) -> Clusters:
    """Return the clusters of the blocks of each load, in order; empty ones count for nothing.

    `unit` is what a block is: a busy period where calls arrived at random.
    """
    import numpy as np  # not at the top: a help page and an inspection need none

    filled = [load for blocks in loads if (load := [block for block in blocks if len(block)])]
    several = len(filled) > 1
    groups = [np.concatenate(load) for load in filled] if several else filled[0] if filled else []
    lengths = np.array([len(group) for group in groups], dtype=np.int64)
    values = np.concatenate(groups) if groups else np.array([])
    return Clusters(values, lengths, LOAD if several else unit)


def waits_for_none(due: NDArray[Any], durations: NDArray[Any], contexts: int) -> NDArray[np.bool_]:
    """Return which calls found one of the contexts free when they were due.

    `due` ascends; a duration runs from there, in the same unit. A call that is done before another is due
    was due before it, so that those under way are those due less those done.
    """
    import numpy as np

    done = np.searchsorted(np.sort(due + durations), due, side="right")
    return np.asarray(np.arange(len(due)) - done < contexts)
