"""What of the command words nobody can explain: registers that no real file sets, words for another block."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rkbench.npu.inheritance import SEQUENCER, Ints, is_among
from rkbench.npu.registers import register_name

#: Block code of command words by the highest digit of their registers: the block's bit of Mesa's target list,
#: and bit 0.
TARGETS = {1: 0x0201, 2: 0x0401, 3: 0x0801, 4: 0x1001, 5: 0x2001, 6: 0x4001, 7: 0x8001}
START_BLOCKS = 0x0081
#: Behind a task's words the sequencer has four of its own: the next task, waiting, and which blocks to start.
TRAILING_WORDS = 4


class Unexplained(NamedTuple):
    """The first word of a list of tasks that cannot be explained."""

    position: int
    """The task that it belongs to, in the list."""
    what: str


def first_unexplained(
    words: NDArray[np.uint64],
    task: Ints,
    known: set[int],
    end: Ints,
    enable: Ints,
    memory: NDArray[np.uint64],
) -> Unexplained | None:
    """Return the first word that writes no known register, or starts other blocks than its record says.

    `words` are those of the tasks `task`; `end` is where each task's words end in `memory`, `enable` which
    blocks its record starts. A zero to a register that nobody knows says nothing.
    """
    target, register, value = fields_of(words)
    sequencer = is_among(target, SEQUENCER)
    is_known = is_among(register, known)
    unknown = ~sequencer & (value != 0) & ~is_known
    elsewhere = ~sequencer & is_known & (target != block_codes(register))
    strange = np.flatnonzero(unknown | elsewhere | (sequencer & (words != 0)))
    found = _other_start(end, enable, memory)
    if len(strange) and (found is None or task[strange[0]] <= found.position):
        at = int(strange[0])
        name = register_name(int(register[at]))
        block = f" for block {int(target[at]):#06x}" if not unknown[at] else ""
        return Unexplained(int(task[at]), f"{name} = {int(value[at]):#x}{block}")
    return found


def fields_of(words: NDArray[np.uint64]) -> tuple[Ints, Ints, Ints]:
    """Return block code, register and value of command words."""
    target, register = words >> np.uint64(48), words & np.uint64(0xFFFF)
    value = words >> np.uint64(16) & np.uint64(0xFFFF_FFFF)
    return target.astype(np.int64), register.astype(np.int64), value.astype(np.int64)


def block_codes(register: Ints) -> Ints:
    """Return the block code that words for each register have; -1 where there is no such block."""
    codes: Ints = np.array([TARGETS.get(digit, -1) for digit in range(16)])[register >> 12]
    return codes


def _other_start(end: Ints, enable: Ints, memory: NDArray[np.uint64]) -> Unexplained | None:
    """Return the first task whose words start other blocks than its record says."""
    if not len(memory):
        return None
    place = end[:, None] + np.arange(TRAILING_WORDS)
    target, _, value = fields_of(memory[np.minimum(place, len(memory) - 1)])
    starts = (target == START_BLOCKS) & (place < len(memory))
    wrong = np.argwhere(starts & (value != enable[:, None]))
    if not len(wrong):
        return None
    position, column = wrong[0].tolist()
    return Unexplained(
        position, f"a start of blocks {int(value[position, column]):#x} beside {int(enable[position]):#x}"
    )
