"""What each task costs: MACs, cycles of the MAC array and the output stage, bytes of DDR. Vectorised.

Counted from geometry: a MAC cycle takes as many input channels and kernels as the array is wide, so what does
not fill a block costs as much as a full one; DDR bytes are what is fetched and written, padding included, and
the command words themselves. Nothing is measured here; `predict.py` makes time of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rkbench.npu import fields as f
from rkbench.npu.inheritance import Ints
from rkbench.npu.registers import Field
from rkbench.npu.tasks import CNA, DPU, DPU_RDMA, PPU, TaskList

_ELEMENT_BYTES = np.array([size for _, size in f.PRECISIONS.values()])
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TaskCosts:
    """Costs of the tasks of a list; every array has an entry for each task."""

    macs: Ints
    """Multiply-accumulates of the layer itself, without what only fills blocks."""
    mac_cycles: Ints
    full_mac_cycles: Floats
    """MACs by what the array does in a cycle: `mac_cycles` of an array that is always full."""
    feature_bytes: Ints
    """Fetched by the convolution; 0 where features stay in the buffer."""
    weight_bytes: Ints
    read_bytes: Ints
    """Fetched by the output stage and by pooling: operands and whole tensors."""
    command_bytes: Ints
    written_bytes: Ints
    output_cycles: Ints
    """One pixel of one surface a cycle, of the output stage or of pooling."""
    table_cycles: Ints
    """Those of `output_cycles` whose values go through the activation table."""

    @property
    def ddr_bytes(self) -> Ints:
        """All bytes that cross the memory bus."""
        return (
            self.feature_bytes + self.weight_bytes + self.read_bytes + self.command_bytes + self.written_bytes
        )

    def sums(self, at: Ints) -> CostSums:
        """Return the sums over some of the tasks."""
        part = {
            name: getattr(self, name)[at].sum() for name in CostSums.__dataclass_fields__ if name != "tasks"
        }
        full = float(part.pop("full_mac_cycles"))
        return CostSums(tasks=len(at), full_mac_cycles=full, **{name: int(v) for name, v in part.items()})


@dataclass(frozen=True)
class CostSums:
    """What several tasks cost together: a layer, or a model."""

    tasks: int
    macs: int
    mac_cycles: int
    full_mac_cycles: float
    feature_bytes: int
    weight_bytes: int
    read_bytes: int
    command_bytes: int
    written_bytes: int
    output_cycles: int
    table_cycles: int

    @property
    def ddr_bytes(self) -> int:
        """All bytes that cross the memory bus."""
        return (
            self.feature_bytes + self.weight_bytes + self.read_bytes + self.command_bytes + self.written_bytes
        )

    @property
    def mac_fill_ratio(self) -> float | None:
        """How full the MAC array is while it works, 0 to 1; None where it does not."""
        return self.full_mac_cycles / self.mac_cycles if self.mac_cycles else None


def total(sums: Sequence[CostSums]) -> CostSums:
    """Return the sum of some sums."""
    return CostSums(
        **{name: sum(getattr(item, name) for item in sums) for name in CostSums.__dataclass_fields__}
    )


def task_costs(tasks: TaskList) -> TaskCosts:
    """Return what each task of `tasks` costs."""
    macs, mac_cycles, full = _mac_costs(tasks)
    convolves = tasks.runs(CNA)
    fetched = convolves & (tasks.get(f.FEATURES_KEPT) == 0)
    pixels = tasks.get(f.IN_WIDTH) * tasks.get(f.IN_HEIGHT) * _channels(tasks)
    written, output_cycles = _output_costs(tasks)
    return TaskCosts(
        macs=macs,
        mac_cycles=mac_cycles,
        full_mac_cycles=full,
        feature_bytes=_whole(np.where(fetched, pixels * _element(tasks, f.CONV_PRECISION), 0)),
        weight_bytes=np.where(convolves & (tasks.get(f.WEIGHTS_KEPT) == 0), tasks.get(f.WEIGHT_BYTES), 0),
        read_bytes=_reads(tasks),
        command_bytes=8 * tasks.words,
        written_bytes=written,
        output_cycles=output_cycles,
        table_cycles=np.where(uses_table(tasks), output_cycles, 0),
    )


def uses_table(tasks: TaskList) -> NDArray[np.bool_]:
    """Return which tasks send values through the activation table."""
    looks_up: NDArray[np.bool_] = (tasks.get(f.EW_BYPASS) == 0) & (tasks.get(f.EW_TABLE_BYPASS) == 0)
    return tasks.runs(DPU) & looks_up


def _flows_on(tasks: TaskList) -> NDArray[np.bool_]:
    """Return in which tasks the output stage hands its values to pooling, past the memory."""
    handed: NDArray[np.bool_] = tasks.get(f.OUTPUT_MODE) == f.TO_POOLING
    return tasks.runs(DPU) & tasks.runs(PPU) & handed


def _element(tasks: TaskList, precision: Field) -> Floats:
    sizes: Floats = _ELEMENT_BYTES[tasks.get(precision)]
    return sizes


def _whole(values: Floats) -> Ints:
    return np.ceil(values).astype(np.int64)


def _blocks(values: Ints, size: Ints | int) -> Ints:
    return -(-values // size)


def _channels(tasks: TaskList) -> Ints:
    """Return the input channels that are fetched: of packed pixels those that they have."""
    packed = tasks.get(f.PIXEL_CHANNELS)
    return np.where(packed > 0, packed - f.FIRST_PIXEL_MODE, tasks.get(f.IN_CHANNELS))


def _real_channels(tasks: TaskList) -> Ints:
    """Return the input channels of the layer, without those that only fill a block."""
    fetched = tasks.get(f.IN_CHANNELS)
    of_surfaces = np.minimum(tasks.generation.real_channels(fetched, tasks.get(f.LAST_CHANNELS)), fetched)
    return np.where(tasks.get(f.PIXEL_CHANNELS) > 0, _channels(tasks), of_surfaces)


def _mac_costs(tasks: TaskList) -> tuple[Ints, Ints, Floats]:
    generation = tasks.generation
    convolves = tasks.runs(CNA)
    depthwise = tasks.get(f.CONV_MODE) == f.DEPTHWISE
    element = _element(tasks, f.CONV_PRECISION)
    taps = tasks.get(f.OUT_PIXELS) * tasks.get(f.KERNEL_WIDTH) * tasks.get(f.KERNEL_HEIGHT)
    taps = np.where(convolves, taps, 0)
    channels, real, kernels = tasks.get(f.IN_CHANNELS), _real_channels(tasks), tasks.get(f.KERNELS)
    width = np.where(tasks.get(f.CONV_PRECISION) == 0, generation.kernels_int8, generation.kernels_int8 // 2)
    of_depthwise = _whole(np.ceil(channels * element / generation.group_bytes))
    of_dense = _blocks(channels, generation.channels_int8) * _blocks(kernels, width)
    macs = taps * real * np.where(depthwise, 1, kernels)
    per_cycle = np.where(depthwise, generation.group_bytes / element, width * generation.channels_int8)
    return macs, taps * np.where(depthwise, of_depthwise, of_dense), macs / per_cycle


def _output_costs(tasks: TaskList) -> tuple[Ints, Ints]:
    """Return bytes written and cycles, of the output stage and of pooling."""
    atom = tasks.generation.atom_bytes
    area = (tasks.get(f.OUT_WIDTH) + 1) * (tasks.get(f.OUT_HEIGHT) + 1)
    pixel = (tasks.get(f.OUT_CHANNELS) + 1) * _element(tasks, f.OUT_PRECISION)
    stage = tasks.runs(DPU)
    written = np.where(stage & ~_flows_on(tasks), area * pixel, 0)
    cycles = np.where(stage, area * np.ceil(pixel / atom), 0)
    pools = tasks.runs(PPU)
    pooled = (tasks.get(f.POOL_CHANNELS) + 1) * _element(tasks, f.POOL_PRECISION)
    out_area = (tasks.get(f.POOL_OUT_WIDTH) + 1) * (tasks.get(f.POOL_OUT_HEIGHT) + 1)
    in_area = (tasks.get(f.POOL_IN_WIDTH) + 1) * (tasks.get(f.POOL_IN_HEIGHT) + 1)
    written = written + np.where(pools, out_area * pooled, 0)
    return _whole(written), _whole(np.where(pools, in_area * np.ceil(pooled / atom), cycles))


def _reads(tasks: TaskList) -> Ints:
    """Return what the output stage and pooling fetch."""
    stage, pools = tasks.runs(DPU), tasks.runs(PPU) & ~_flows_on(tasks)
    cube = (tasks.get(f.READ_WIDTH) + 1) * (tasks.get(f.READ_HEIGHT) + 1) * (tasks.get(f.READ_CHANNELS) + 1)
    main = np.where(stage & (tasks.get(f.READS_MEMORY) == 1), cube * _element(tasks, f.OUT_PRECISION), 0)
    out = (tasks.get(f.OUT_WIDTH) + 1) * (tasks.get(f.OUT_HEIGHT) + 1) * (tasks.get(f.OUT_CHANNELS) + 1)
    with_operand = stage & tasks.runs(DPU_RDMA) & (tasks.get(f.OPERAND_OFF) == 0)
    operand = np.where(with_operand, out * np.array(f.OPERAND_BYTES)[tasks.get(f.OPERAND_SIZE)], 0)
    area = (tasks.get(f.POOL_IN_WIDTH) + 1) * (tasks.get(f.POOL_IN_HEIGHT) + 1)
    pooled = np.where(pools, area * (tasks.get(f.POOL_CHANNELS) + 1) * _element(tasks, f.POOL_PRECISION), 0)
    return _whole(main + operand + pooled)
