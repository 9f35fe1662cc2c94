"""A rough estimate of the commands, task records and structure of one layer, for the choice of rewrites.

Whole networks are counted by `rkbench.onnx.fusion`, which knows what is computed at once.

Fitted to conversions with rknn-toolkit2 2.5.0: good to about a third on plain CNNs, wrong by any factor on
large dilations and recurrent layers, which are therefore flagged, not counted. Never mix these numbers with
the weights, which are exact to a few percent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from rkbench.onnx import convolution as conv
from rkbench.onnx.convolution import Convolution
from rkbench.rknn import targets
from rkbench.rknn.targets import ELEMENT_BYTES, Dtype

BANK_BYTES = 32 * 1024


@dataclass(frozen=True)
class CommandModel:
    """What one NPU generation's compiler writes around the constants, in bytes."""

    buffer_bytes: int
    """On-chip convolution buffer: a layer whose rows and weights do not fit is cut into tasks."""
    file_bytes: int
    """Of a file with no layer: headers, JSON, root tables."""
    node_bytes: int
    """Structure (tables, names, relocation lists) of one layer."""
    first_task_bytes: int
    """Commands and records of a layer that is one task, all core modes together."""
    next_task_bytes: int
    """The same of each further task."""
    branch_bytes: int
    """One group of a convolution that is kept grouped: split, convolution and concat of its channels."""
    added_bytes: int = 0
    """Around the convolutions that the compiler adds of its own, once in a file that has a convolution."""


# rk3588: 12 banks of 32 KiB, six lists a layer (one core; two cores; three cores) of about 0.95 kB a task.
_THREE_CORES = CommandModel(12 * BANK_BYTES, 8_000, 1_600, 6_300, 4_300, 12_500)
# rk3566/rk3568: 8 banks; one list.
_ONE_CORE = CommandModel(8 * BANK_BYTES, 5_500, 1_150, 1_200, 500, 3_060)
# rk3576: 8 banks, lists for one and two cores. What it adds was fitted to 50 pairs of ONNX and .rknn of the
# repository gahingwoo/linux-rk3576-npu (vendor-capture); in the other 49 it leaves a median error of 0.5 kB,
# 1.4 % of the file.
_TWO_CORES = CommandModel(8 * BANK_BYTES, 7_000, 1_300, 3_500, 2_200, 7_400, 1_700)
_BY_CORES = {1: _ONE_CORE, 2: _TWO_CORES, 3: _THREE_CORES}

WIDE_DILATION = {True: 25, False: 36}
"""Pixels of a dilated kernel from which on the rk3588 cuts rows into hundreds of tasks, by whether it is
depthwise (measured on 56x56 maps); over all channels the rk3568 too (DeepLabV3 at 320 pixels: 39.8 MB in fp16
and 33.3 MB in int8, of 15.7 and 9.0). Kernels of 33 and 35 pixels over all channels are ordinary, and so are
depthwise ones of one row or column (ESPCNet, LEDNet, DABNet)."""


def is_widely_dilated(convolution: Convolution) -> bool:
    """Return whether a kernel has holes so large that its commands cannot be told; over one axis they can."""
    if len(convolution.kernel) == 1:
        return False
    flat = min(convolution.kernel) == 1
    depthwise = convolution.groups > 1 and not flat
    return max(convolution.dilations) > 1 and convolution.dilated_extent >= WIDE_DILATION[depthwise]


def command_model(target: str) -> CommandModel:
    """Return the model of a SoC; one that is not known counts as single-core."""
    known = targets.TARGETS.get(target)
    return _BY_CORES[known.npu_cores if known else 1]


def convolution_bytes(
    convolution: Convolution, target: str, dtype: Dtype, toolkit_version: str | None = None
) -> int:
    """Return the estimated bytes around one convolution's constants."""
    model = command_model(target)
    becomes = conv.fate(convolution, target, dtype, toolkit_version)
    tasks = _tasks(convolution, becomes, model, dtype)
    bytes_ = model.node_bytes + model.first_task_bytes + (tasks - 1) * model.next_task_bytes
    if becomes == conv.KEPT:
        bytes_ += convolution.groups * model.branch_bytes
    return bytes_


def other_bytes(target: str) -> int:
    """Return the estimated bytes of any other layer that is not fused away."""
    model = command_model(target)
    return model.node_bytes + model.first_task_bytes


def _tasks(convolution: Convolution, becomes: str, model: CommandModel, dtype: Dtype) -> int:
    """Return how many tasks the compiler cuts a layer into, so that rows and weights share the buffer.

    Weights that fit stay in whole banks, larger ones stream through one bank; the rest holds input rows.
    Right within 2 in 20 of 24 layers measured (7 to 112 pixels, 16 and 128 channels).
    """
    if convolution.input_size is None or convolution.output_size is None:
        return 1
    height, width = (1, *convolution.input_size)[-2:]
    rows_out = (1, *convolution.output_size)[-2]
    kernel = convolution.kernel[-2] if len(convolution.kernel) > 1 else 1
    stride = convolution.strides[-2] if len(convolution.strides) > 1 else 1
    row_bytes = width * convolution.input_channels * ELEMENT_BYTES[dtype]
    if becomes == conv.KEPT:
        row_bytes //= convolution.groups
    weights = convolution.elements * ELEMENT_BYTES[dtype]
    banks = math.ceil(weights / BANK_BYTES) * BANK_BYTES
    if becomes in (conv.DENSE, conv.MULTIPLIER) or banks > model.buffer_bytes - BANK_BYTES:
        banks = BANK_BYTES
    rows = max((model.buffer_bytes - banks) // max(row_bytes, 1), kernel)
    if rows >= height:
        return 1
    return math.ceil(rows_out / max((rows - kernel) // stride + 1, 1))
