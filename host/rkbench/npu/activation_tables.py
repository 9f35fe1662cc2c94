"""The activation tables of the NPU as tasks fill them: two of 513 signed 16-bit entries each.

A write of LUT_ACCESS_CFG says which table and from where, each write of LUT_ACCESS_DATA then fills the next
entry. What is filled stays until it is filled again.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rkbench.errors import ModelError
from rkbench.npu.inheritance import Ints, Writes

ENTRIES = 513
ACCESS_CFG, ACCESS_DATA = 0x4100, 0x4104
TABLE_BIT, WRITE_BIT, ADDRESS_MASK = 1 << 16, 1 << 17, 0x3FF
#: Real files fill them some dozen times.
MOST_FILLS = 4096


@dataclass(frozen=True)
class ActivationTables:
    """The states that the tables go through."""

    entries: NDArray[np.int16]
    """(states, 2, 513): table LE, then table LO."""
    state: Ints
    """The state that each task runs with; -1 before the first fill."""
    fill_words: Ints
    """How many words of each task fill tables."""

    @property
    def after(self) -> NDArray[np.int16] | None:
        """What is left for the tasks after these; None where nobody has filled them."""
        return self.entries[-1] if len(self.entries) else None


def follow_tables(writes: Writes, tasks: int, before: NDArray[np.int16] | None = None) -> ActivationTables:
    """Return the states of the tables over `tasks` tasks; raises ModelError beyond real numbers of fills.

    `before` (2, 513) is what the tasks before these have left; None: nobody has filled them yet.
    """
    at = np.flatnonzero((writes.register == ACCESS_CFG) | (writes.register == ACCESS_DATA))
    fill_words = np.bincount(writes.task[at], minlength=tasks)
    is_config = writes.register[at] == ACCESS_CFG
    starts = np.flatnonzero(is_config)
    if len(starts) > MOST_FILLS:
        raise ModelError(
            f"{len(starts)} fills of activation tables; up to {MOST_FILLS} are read",
            hint="real files fill them some dozen times: the file is damaged",
        )
    states: list[NDArray[np.int16]] = [] if before is None else [before]
    filled_by: list[int] = [] if before is None else [-1]
    current = np.zeros((2, ENTRIES), np.int16) if before is None else before
    for start, end in pairwise([*starts.tolist(), len(at)]):
        config, data = int(writes.value[at[start]]), writes.value[at[start + 1 : end]]
        task = int(writes.task[at[start]])
        if not config & WRITE_BIT or not len(data):
            continue
        if not filled_by or filled_by[-1] != task:
            states.append(current := current.copy())
            filled_by.append(task)
        first = config & ADDRESS_MASK
        room = max(0, ENTRIES - first)
        current[config // TABLE_BIT & 1, first : first + room][: len(data)] = (
            data[:room].astype(np.uint16).view(np.int16)
        )
    entries = np.array(states, np.int16).reshape(len(states), 2, ENTRIES)
    state = np.searchsorted(np.array(filled_by, np.int64), np.arange(tasks), "right") - 1
    return ActivationTables(entries, state, fill_words)
