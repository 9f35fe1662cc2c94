"""A field, and what it holds in a mode in every task of every file at hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from rkbench.npu.execute.fields import TaskRegisters
from rkbench.npu.fields import BF16, DEPTHWISE, FP16, FP32
from rkbench.npu.generations import LITE, V2, Generation

FLOATS = (FP16, BF16, FP32)
ON_BOTH = (V2, LITE)


class InMode(NamedTuple):
    """`name` is as `holds` says wherever all of `blocks` run."""

    generations: tuple[Generation, ...]
    blocks: int
    name: str
    """A field, a register, or the offset of one that has no name."""
    holds: Callable[[TaskRegisters], bool]


def is_flying(r: TaskRegisters) -> bool:
    """Say whether the output stage takes what its reader reads."""
    return bool(r["DPU.FEATURE_MODE_CFG.FLYING_MODE"])


def convolves_depthwise(r: TaskRegisters) -> bool:
    """Say whether a depthwise convolution feeds the output stage."""
    return not is_flying(r) and r["CNA.CONV_CON1.CONV_MODE"] == DEPTHWISE


def combines_two(r: TaskRegisters) -> bool:
    """Say whether EW makes something of two."""
    return not (r["DPU.EW_CFG.EW_BYPASS"] or r["DPU.EW_CFG.EW_OP_BYPASS"])


def reads_an_operand(r: TaskRegisters) -> bool:
    """Say whether the second of them is a tensor."""
    return combines_two(r) and bool(r["DPU.EW_CFG.EW_OP_SRC"])


def computes_halves(r: TaskRegisters) -> bool:
    """Say whether the output stage computes and writes fp16."""
    return r["DPU.DATA_FORMAT.OUT_PRECISION"] == r["DPU.DATA_FORMAT.PROC_PRECISION"] == FP16
