"""Every bit that is set in a task is read, or has no effect, or is refused by its name.

`TaskRegisters` remembers what the model has read while it computed a task; a bit that is set and was not read
must stand in one of the two lists of `without_effect.py`. So no field can be ignored by oversight: an ignored
bit once gave silently wrong outputs on an RK3568. What is only held against what it has to be
(`repeated.py`, `modes.py`) counts as read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

from rkbench.npu.execute.fields import TaskRegisters, UnmodelledError
from rkbench.npu.execute.without_effect import FREE, IDLE, Condition
from rkbench.npu.generations import LITE, Generation
from rkbench.npu.registers import named_fields, register_map, register_name
from rkbench.npu.tasks import Task

TOGETHER_V2 = (0x0D, 0x1D, 0x18, 0x60)
TOGETHER_LITE = (0x0F, 0x1F, 0x18, 0x60, 0x3F)
"""Blocks that run together in the tasks of all files at hand: others would do what nobody has seen."""


def refuse_unmodelled(task: Task, generation: Generation) -> None:
    """Raise UnmodelledError for words that nobody can explain and for blocks that never run together."""
    if task.unexplained:
        raise UnmodelledError(task.unexplained)
    if task.enable not in (TOGETHER_LITE if generation is LITE else TOGETHER_V2):
        raise UnmodelledError(f"blocks {task.enable:#x} together")


def refuse_unread(registers: TaskRegisters, enable: int, generation: Generation) -> None:
    """Raise UnmodelledError, with the name of a field, for the first bit that was not read and may matter."""
    unread = registers.unread()
    if not unread:
        return
    effectless = effectless_bits(registers, enable, generation, unread)
    for register, bits in unread.items():
        if bits & ~effectless.get(register, 0):
            raise UnmodelledError(_described(register, bits & ~effectless.get(register, 0)))


def effectless_bits(
    registers: TaskRegisters, enable: int, generation: Generation, asked: Mapping[int, int]
) -> dict[int, int]:
    """Return the bits that have no effect in this task, by register, as far as they are `asked` for."""
    found = dict(_free_bits(generation.name))
    for block, idle, masks in _idle_bits():
        needed = enable & block and any(
            asked.get(register, 0) & mask & ~found.get(register, 0) for register, mask in masks
        )
        if needed and idle(registers, generation):
            for register, mask in masks:
                found[register] = found.get(register, 0) | mask
    return found


@cache
def _free_bits(generation: str) -> dict[int, int]:
    found: dict[int, int] = {}
    for free in FREE:
        if generation in [each.name for each in free.generations]:
            for register, mask in _masks(free.bits):
                found[register] = found.get(register, 0) | mask
    return found


@cache
def _idle_bits() -> tuple[tuple[int, Condition, tuple[tuple[int, int], ...]], ...]:
    return tuple(
        (item.block, item.idle, tuple(each for bits in item.bits for each in _masks(bits))) for item in IDLE
    )


def _masks(bits: str) -> Iterator[tuple[int, int]]:
    """Yield register and mask of each field of one line of the lists."""
    name, *fields = bits.split()
    register = int(name, 16) if name.startswith("0x") else named_fields()[name].register
    for field in fields:
        if field == "*":
            yield register, 0xFFFF_FFFF
        elif field[0].isdigit():
            low, high = (int(text) for text in field.split("-"))
            yield register, (1 << (high + 1)) - (1 << low)
        else:
            span = named_fields()[f"{name}.{field}"]
            yield register, span.mask << span.low


def _described(register: int, bits: int) -> str:
    """Return `BLOCK.REGISTER.FIELD` of the lowest of the bits, and what they hold."""
    lowest = (bits & -bits).bit_length() - 1
    known = register_map().get(register)
    name = register_name(register)
    for field in known.fields if known else ():
        if field.low <= lowest <= field.high:
            return f"{name}.{field.name} = {bits >> field.low & field.mask:#x}"
    return f"{name} bit {lowest}"
