"""Fields that say again what another field says, in every task of every file at hand.

One that says something else would mean what nobody has seen: it is refused, not ignored. `WDMA_SIZE` was
taken for such a repetition and is none where a large resize writes in parts.
"""

from __future__ import annotations

from typing import NamedTuple

from rkbench.npu.execute.fields import TaskRegisters, UnmodelledError
from rkbench.npu.execute.rearranged import is_edge, is_filled_up, is_rearranged
from rkbench.npu.fields import BF16, FP16
from rkbench.npu.generations import LITE, Generation
from rkbench.npu.tasks import CNA, DPU, DPU_RDMA, PPU, PPU_RDMA


class Repeated(NamedTuple):
    """`name` is `original` plus `more` wherever `block` runs."""

    block: int
    name: str
    original: str
    more: int = 0


ON_BOTH = (
    Repeated(CNA, "CNA.DATA_SIZE2.DATAOUT_WIDTH", "CORE.DATAOUT_SIZE_0.DATAOUT_WIDTH", 1),
    Repeated(CNA, "CNA.FC_DATA_SIZE0.DMA_HEIGHT", "CNA.DATA_SIZE0.DATAIN_HEIGHT"),
    Repeated(CNA, "CNA.FC_DATA_SIZE1.DMA_CHANNEL", "CNA.DATA_SIZE1.DATAIN_CHANNEL"),
    Repeated(CNA, "CORE.DATAOUT_SIZE_1.DATAOUT_CHANNEL", "DPU.DATA_CUBE_CHANNEL.CHANNEL"),
    Repeated(DPU, "DPU.DATA_CUBE_NOTCH_ADDR.NOTCH_ADDR_1", "DPU.DATA_CUBE_NOTCH_ADDR.NOTCH_ADDR_0"),
    Repeated(DPU_RDMA, "DPU_RDMA.FEATURE_MODE_CFG.FLYING_MODE", "DPU.FEATURE_MODE_CFG.FLYING_MODE"),
    Repeated(PPU, "PPU.DATA_CUBE_OUT_CHANNEL.CUBE_OUT_CHANNEL", "PPU.DATA_CUBE_IN_CHANNEL.CUBE_IN_CHANNEL"),
    Repeated(PPU_RDMA, "PPU_RDMA.CUBE_IN_WIDTH.CUBE_IN_WIDTH", "PPU.DATA_CUBE_IN_WIDTH.CUBE_IN_WIDTH"),
    Repeated(PPU_RDMA, "PPU_RDMA.CUBE_IN_HEIGHT.CUBE_IN_HEIGHT", "PPU.DATA_CUBE_IN_HEIGHT.CUBE_IN_HEIGHT"),
    Repeated(
        PPU_RDMA, "PPU_RDMA.CUBE_IN_CHANNEL.CUBE_IN_CHANNEL", "PPU.DATA_CUBE_IN_CHANNEL.CUBE_IN_CHANNEL"
    ),
)
ON_RK3568 = (Repeated(CNA, "CORE.MISC_CFG.PROC_PRECISION", "CNA.CONV_CON1.IN_PRECISION"),)
ON_RK3588 = (
    Repeated(CNA, "CNA.CONV_CON1.PROC_PRECISION", "CNA.CONV_CON1.IN_PRECISION"),
    Repeated(CNA, "CORE.MISC_CFG.PROC_PRECISION", "CNA.CONV_CON1.IN_PRECISION"),
    Repeated(CNA, "DPU.FEATURE_MODE_CFG.CONV_MODE", "CNA.CONV_CON1.CONV_MODE"),
)
OF_ALIGNED_OUTPUT = (
    Repeated(DPU, "DPU.WDMA_SIZE_0.CHANNEL_WDMA", "DPU.DATA_CUBE_CHANNEL.CHANNEL"),
    Repeated(DPU, "DPU.WDMA_SIZE_1.HEIGHT_WDMA", "DPU.DATA_CUBE_HEIGHT.HEIGHT"),
    Repeated(DPU, "DPU.WDMA_SIZE_1.WIDTH_WDMA", "DPU.DATA_CUBE_WIDTH.WIDTH"),
)
"""Where the output leaves in its own order."""


def refuse_contradictions(registers: TaskRegisters, enable: int, generation: Generation) -> None:
    """Raise UnmodelledError for the first field that does not repeat what it always did."""
    for block, name, original, more in repeated_fields(registers, generation):
        if enable & block and registers[name] != registers[original] + more:
            said, expected = registers[name], registers[original] + more
            raise UnmodelledError(f"{name} = {said} beside {original}, which makes {expected},")
    if enable & DPU_RDMA and enable & DPU:
        _refuse_other_reading(registers)


def repeated_fields(registers: TaskRegisters, generation: Generation) -> tuple[Repeated, ...]:
    """Return what has to repeat in a task with these registers."""
    own = (*ON_BOTH, *(ON_RK3568 if generation is LITE else ON_RK3588))
    if is_rearranged(registers):  # has sizes of its own, which are checked where it is written
        return own
    if is_edge(registers):
        return (*own, *OF_ALIGNED_OUTPUT[:1])
    if is_filled_up(registers):
        return (*own, *OF_ALIGNED_OUTPUT[1:])
    return (*own, *OF_ALIGNED_OUTPUT)


def _refuse_other_reading(registers: TaskRegisters) -> None:
    """Refuse a reader that computes in another precision than the output stage, or of fp16 and bf16 than it
    reads."""
    reads, computes = (
        registers[f"{name}.PROC_PRECISION"] for name in ("DPU_RDMA.FEATURE_MODE_CFG", "DPU.DATA_FORMAT")
    )
    stored = registers["DPU_RDMA.FEATURE_MODE_CFG.IN_PRECISION"]
    halves = computes in (FP16, BF16) and stored in (FP16, BF16)
    if reads != (stored if halves else computes):
        name = "DPU_RDMA.FEATURE_MODE_CFG.PROC_PRECISION"
        raise UnmodelledError(f"{name} = {reads} beside DPU.DATA_FORMAT.PROC_PRECISION = {computes}")
