"""Command words and tasks made by hand, for tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rkbench.npu.generations import V2, Generation
from rkbench.npu.tasks import TaskList, decode
from rkbench.npu.unexplained import TARGETS


def word(register: int, value: int) -> int:
    return TARGETS[register >> 12] << 48 | value << 16 | register


def made_tasks(
    tasks: Sequence[tuple[int, Sequence[tuple[int, int]]]], generation: Generation = V2
) -> TaskList:
    """Decode tasks given as (enable mask, [(register, value), ...])."""
    words = np.array([word(*write) for _, writes in tasks for write in writes], np.uint64)
    amount = np.array([len(writes) for _, writes in tasks])
    enable = np.array([mask for mask, _ in tasks])
    return decode(generation, words, np.cumsum(amount) - amount, amount, enable)
