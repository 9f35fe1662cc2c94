"""Each task in words: what it computes on what, where its buffers lie, and what becomes of the values."""

from __future__ import annotations

from collections.abc import Iterator

from rkbench.npu import fields as f
from rkbench.npu.generations import Generation
from rkbench.npu.registers import Field
from rkbench.npu.tasks import CNA, DPU, DPU_RDMA, PPU, Task
from rkbench.units import format_bytes

#: A task that only selects a table writes a word or two of its registers.
SELECTION_WORDS = 64


def describe_task(task: Task, generation: Generation) -> str:
    """Return what a task does, as one line; it says `nothing that is known` of blocks that we do not read."""
    parts = []
    if task.table_words > SELECTION_WORDS:
        return f"fills the activation table with {task.table_words:,} words"
    if task.enable & CNA:
        parts.append(_convolution(task, generation))
    if task.enable & DPU:
        parts.append(_output(task))
    if task.enable & PPU:
        parts.append(_pooling(task))
    return "; ".join(parts) or f"nothing that is known (blocks {task.enable:#x})"


def input_channels(task: Task, generation: Generation) -> int:
    """Return the channels that a convolution reads, without those that only fill a block."""
    packed, channels = task.get(f.PIXEL_CHANNELS), task.get(f.IN_CHANNELS)
    if packed:
        return packed - f.FIRST_PIXEL_MODE
    return min(generation.real_channels(channels, task.get(f.LAST_CHANNELS)), channels)


def _convolution(task: Task, generation: Generation) -> str:
    depthwise = task.get(f.CONV_MODE) == f.DEPTHWISE
    kind = "depthwise" if depthwise else "transposed" if task.get(f.TRANSPOSED) else "dense"
    size = _pair(task, f.KERNEL_HEIGHT, f.KERNEL_WIDTH)
    steps = _pair(task, f.STRIDE_Y, f.STRIDE_X)
    stride = f" stride {steps}" if steps != "1x1" else ""
    spread = _pair(task, f.DILATION_Y, f.DILATION_X, 1)
    dilation = f" dilation {spread}" if spread != "1x1" else ""
    shape = f"{input_channels(task, generation)} x {task.get(f.IN_HEIGHT)} x {task.get(f.IN_WIDTH)}"
    kernels = "" if depthwise else f" to {task.get(f.KERNELS)} kernels"
    features, weights = task.get(f.DATA_BANKS), task.get(f.WEIGHT_BANKS)
    kept = [
        f"{name} kept"
        for name, at in (("features", f.FEATURES_KEPT), ("weights", f.WEIGHTS_KEPT))
        if task.get(at)
    ]
    precision = _precision(task, f.CONV_PRECISION)
    stored = "compressed weights" if task.get(f.DECOMPRESSION) else "weights"
    return (
        f"{kind} {size} convolution{stride}{dilation} in {precision} of {shape}{kernels}, "
        f"{format_bytes(task.get(f.WEIGHT_BYTES))} of {stored}, {features} + {weights} banks of "
        f"{generation.bank_bytes // 1024} KiB{', ' if kept else ''}{' and '.join(kept)}"
    )


def _output(task: Task) -> str:
    shape = f"{task.get(f.OUT_CHANNELS) + 1} x {task.get(f.OUT_HEIGHT) + 1} x {task.get(f.OUT_WIDTH) + 1}"
    repeats = " and repeats its pixels" if task.get(f.UPSAMPLES) else ""
    verb = f"reads a tensor{repeats}, writes" if task.get(f.READS_MEMORY) else "writes"
    if task.enable & PPU and task.get(f.OUTPUT_MODE) == f.TO_POOLING:
        verb = "hands on"
    steps = ", ".join([*_stage(task), *_elementwise(task), *_conversion(task)])
    return f"{steps + ', ' if steps else ''}{verb} {shape} {_precision(task, f.OUT_PRECISION)}"


def _stage(task: Task) -> Iterator[str]:
    """Yield what the two scaling stages do."""
    bias = (f.BS_BYPASS, f.BS_ADD_BYPASS, f.BS_MUL_BYPASS, f.BS_RELU_BYPASS, f.BS_CLIPS)
    norm = (f.BN_BYPASS, f.BN_ADD_BYPASS, f.BN_MUL_BYPASS, f.BN_RELU_BYPASS, f.BN_CLIPS)
    for name, (bypass, add, multiply, relu, clips) in (("bias", bias), ("scale", norm)):
        if task.get(bypass):
            continue
        if not task.get(add):
            yield "adds a bias" if name == "bias" else "adds"
        if not task.get(multiply):
            yield "scales"
        if not task.get(relu):
            yield "clips" if task.get(clips) else "relu"


def _elementwise(task: Task) -> Iterator[str]:
    if task.get(f.EW_BYPASS):
        return
    if not task.get(f.EW_TABLE_BYPASS):
        yield "looks up the activation table"
    if not task.get(f.EW_OP_BYPASS):
        algorithm = task.get(f.EW_ALGORITHM)
        verb = (
            "multiply"
            if task.get(f.EW_MULTIPLIES)
            else f.EW_ALGORITHMS.get(algorithm, f"operator {algorithm}")
        )
        other = "a tensor" if task.get(f.EW_FROM_MEMORY) and task.enable & DPU_RDMA else "a constant"
        yield f"{verb} with {other}"
    if not task.get(f.EW_RELU_BYPASS):
        yield "relu"


def _conversion(task: Task) -> Iterator[str]:
    """Yield the requantization of an integer output."""
    scale, shift, offset = task.get(f.OUT_SCALE), task.get(f.OUT_SHIFT), task.signed(f.OUT_OFFSET.register)
    if task.get(f.OUT_PRECISION) == 0 and (scale, shift, offset) != (1, 0, 0):
        shifted = f" {'-' if offset < 0 else '+'} {abs(offset)}" if offset else ""
        yield f"requantizes x {scale} / 2^{shift}{shifted}"


def _pooling(task: Task) -> str:
    method = f.POOLS.get(task.get(f.POOL_METHOD), "unknown")
    size = _pair(task, f.POOL_KERNEL_HEIGHT, f.POOL_KERNEL_WIDTH, 1)
    stride = _pair(task, f.POOL_STRIDE_Y, f.POOL_STRIDE_X, 1)
    height, width = task.get(f.POOL_OUT_HEIGHT) + 1, task.get(f.POOL_OUT_WIDTH) + 1
    precision = _precision(task, f.POOL_PRECISION)
    shape = f"{task.get(f.POOL_CHANNELS) + 1} x {height} x {width}"
    return f"{method} pooling {size} stride {stride}, writes {shape} {precision}"


def _pair(task: Task, vertical: Field, horizontal: Field, more: int = 0) -> str:
    return f"{task.get(vertical) + more}x{task.get(horizontal) + more}"


def _precision(task: Task, at: Field) -> str:
    return f.PRECISIONS[task.get(at)][0]
