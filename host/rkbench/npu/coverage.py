"""Which command words are explained, and which are not: a compiler that does something new is noticed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rkbench.npu.generations import Generation
from rkbench.npu.inheritance import SEQUENCER
from rkbench.npu.layout import Layout, Words
from rkbench.npu.registers import register_map, register_name
from rkbench.npu.unexplained import block_codes, fields_of


@dataclass(frozen=True)
class UnknownWords:
    """Words that are not zero and that nobody has explained."""

    what: str
    """A register, or bits of one."""
    count: int
    example: int
    """The value of the first of them."""


@dataclass(frozen=True)
class Coverage:
    """The command words of a model, over all of its lists."""

    words: int
    """Without padding."""
    nonzero: int
    explained: int
    """Of those that are not zero: writes to a register that is documented, and words for the sequencer."""
    unknown: tuple[UnknownWords, ...]
    reserved: tuple[UnknownWords, ...]
    """Documented registers with bits set that no field names: their registers count as explained."""

    @property
    def explained_ratio(self) -> float:
        """The share of the words that are not zero."""
        return self.explained / self.nonzero if self.nonzero else 1.0


def coverage(layout: Layout) -> Coverage:
    """Return which command words of a model are explained."""
    return word_coverage(layout.words, layout.generation)


def word_coverage(words: Words, generation: Generation) -> Coverage:
    """Return which of some command words are explained."""
    words = words[words != 0]
    target, register, value = fields_of(words)
    sequencer = np.isin(target, SEQUENCER)
    known = np.isin(register, [*register_map(), *generation.own_registers])
    known &= target == block_codes(register)
    nonzero = (value != 0) | sequencer
    strange = nonzero & ~sequencer & ~known
    return Coverage(
        words=len(words),
        nonzero=int(nonzero.sum()),
        explained=int((nonzero & ~strange).sum()),
        unknown=_unknown(register[strange], value[strange]),
        reserved=_reserved(register[known], value[known], generation),
    )


def _unknown(register: np.ndarray, value: np.ndarray) -> tuple[UnknownWords, ...]:
    numbers, first, counts = np.unique(register, return_index=True, return_counts=True)
    return tuple(
        UnknownWords(register_name(int(number)), int(count), int(value[at]))
        for number, at, count in zip(numbers, first, counts, strict=True)
    )


def _reserved(register: np.ndarray, value: np.ndarray, generation: Generation) -> tuple[UnknownWords, ...]:
    found = []
    for number in np.unique(register).tolist():
        known = register_map().get(number)
        if known is None or number in generation.own_registers:
            continue
        values = value[register == number]
        bits = values & (known.reserved & ~generation.moved_bits.get(number, 0))
        if bits.any():
            used = int(np.bitwise_or.reduce(bits))
            name = f"{register_name(number)} bits {used:#x}"
            found.append(UnknownWords(name, int((bits != 0).sum()), int(values[np.argmax(bits != 0)])))
    return tuple(found)
