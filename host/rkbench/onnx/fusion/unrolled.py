"""What the compiler unrolls: long kernels in pieces, folds by positions.

Read from files of toolkit 2.5.0: Silero VAD, AECMOS, a melspectrogram and MobileViT (rk3588, rk3568).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import onnx_ir as ir

from rkbench.onnx.convolution import MAP_AXES, Convolution
from rkbench.onnx.fusion.layer import FusedLayer
from rkbench.onnx.fusion.patterns import next_node
from rkbench.onnx.fusion.taken import Effort
from rkbench.onnx.values import static_shape
from rkbench.rknn.targets import Dtype

MOVE_BYTES = 128
"""Commands of a task that moves one position of a map."""
PIECE_TAPS = 16
"""Taps of the convolutions that a long kernel is cut into."""
LONGEST_KERNEL, LARGEST_STRIDE = 32, 8
"""A signal of one channel is cut for kernels and strides from these on."""
PADDING_BYTES = 1_472
"""Commands of the Pad that stands before the pieces."""
SELECT_FACTOR = 4
"""A stride is reached by steps of four: a short first one, then depthwise ones that pick every fourth."""


@dataclass(frozen=True)
class Pieces:
    """A convolution with a long kernel: so many short ones, whose outputs are thinned out and summed."""

    count: int
    first: Convolution
    selects: int


def pieces_of(convolution: Convolution) -> Pieces | None:
    """Return the pieces of a signal's convolution; None where the kernel is short or the map is no signal."""
    size, kernel, stride = convolution.input_size, convolution.kernel[-1], convolution.strides[-1]
    flat = size is not None and math.prod(size[:-1]) == 1 and math.prod(convolution.kernel[:-1]) == 1
    if not flat or convolution.input_channels > 1 or convolution.transposed or size is None:
        return None
    if kernel < LONGEST_KERNEL or stride < LARGEST_STRIDE:
        return None
    step = SELECT_FACTOR if stride % SELECT_FACTOR**2 == 0 or stride % 5 else 5
    length = (size[-1] - kernel) // step + 1
    first = Convolution(
        convolution.output_channels,
        1,
        kernel=(1, PIECE_TAPS),
        strides=(1, step),
        input_size=(1, size[-1] - kernel + PIECE_TAPS),
        output_size=(1, max(length, 1)),
        has_bias=False,
        batch=convolution.batch,
    )
    selects = math.ceil(math.log(max(stride // step, 1), SELECT_FACTOR))
    return Pieces(math.ceil(kernel / PIECE_TAPS), first, selects)


@dataclass(frozen=True)
class Chain:
    """A convolution with a long kernel of one row or column: short ones, which add the sum so far."""

    count: int
    piece: Convolution
    is_padded: bool


def chain_of(convolution: Convolution) -> Chain | None:
    """Return the pieces of a long kernel over whatever channels; None where it is short.

    Read from files of toolkit 2.5.0: CREPE, XCM, InceptionTime, OmniScale, Wav2Letter (17 to 512 taps).
    """
    sizes, output = convolution.input_size, convolution.output_size
    if sizes is None or output is None or convolution.transposed or convolution.groups > 1:
        return None
    axis = max(range(len(convolution.kernel)), key=lambda axis: convolution.kernel[axis])
    taps, stride = convolution.kernel[axis], convolution.strides[axis]
    if taps <= PIECE_TAPS or convolution.kernel_area > taps or max(convolution.dilations) > 1:
        return None
    if pieces_of(convolution) is not None:
        return None

    def along(values: tuple[int, ...], value: int) -> tuple[int, ...]:
        return (*values[:axis], value, *values[axis + 1 :])

    piece = replace(
        convolution,
        kernel=along(convolution.kernel, PIECE_TAPS),
        input_size=along(sizes, (output[axis] - 1) * stride + PIECE_TAPS),
    )
    is_padded = (output[axis] - 1) * stride + taps > sizes[axis]
    return Chain(math.ceil(taps / PIECE_TAPS), piece, is_padded)


def unfolds(node: ir.Node) -> bool:
    """Return whether a Transpose splits a map into its pixels by phase: (N, p, W, q) to (N, W, p, q), turned
    behind."""
    shape = static_shape(node.inputs[0])
    if node.op_type != "Transpose" or shape is None or len(shape) != 4 or shape[0] == 1:
        return False
    if tuple(node.attributes.get_ints("perm", ())) != (0, 2, 1, 3):
        return False
    reshape = next_node(node.outputs[0], "Reshape")
    turned = next_node(reshape.outputs[0], "Transpose") if reshape is not None else None
    return turned is not None and tuple(turned.attributes.get_ints("perm", ())) == (0, 3, 2, 1)


def folds(node: ir.Node) -> bool:
    """Return whether a Transpose joins pixels of all phases to a map again: (N, W, p, q) to (N, p, W, q)."""
    shape = static_shape(node.inputs[0])
    if node.op_type != "Transpose" or shape is None or len(shape) != 4 or shape[0] == 1:
        return False
    reshape = next_node(node.outputs[0], "Reshape")
    after = static_shape(reshape.outputs[0]) if reshape is not None else None
    order = tuple(node.attributes.get_ints("perm", ()))
    return order == (0, 2, 1, 3) and after is not None and len(after) == 4 and after[0] == 1


def _is_normalised(node: ir.Node) -> bool:
    """Return whether a norm reads what an unfold makes: only then each position is moved alone."""
    value = node.outputs[0]
    for kind in ("Reshape", "Transpose", "Reshape"):
        found = next_node(value, kind)
        if found is None:
            break
        value = found.outputs[0]
    return any(user.op_type in ("ReduceMean", "LayerNormalization") for user in value.consumers())


def moved_tasks(layer: FusedLayer, *, int8: bool) -> int:
    """Return the tasks of 128 bytes that an unfold or a fold takes where the NPU does it: one a position, or
    one a row of channels."""
    shape = static_shape(layer.node.inputs[0]) or (1, 1, 1, 1)
    if layer.kind == "unfold":
        return shape[0] * (shape[2] if _is_normalised(layer.node) else 1) + 6
    return (shape[0] if int8 and shape[1] >= 8 else 0) + 20


REPEAT_START_BYTES = 1_536
REPEAT_BYTES: dict[bool, dict[Dtype, int]] = {
    False: {"fp16": 192, "int8": 192},
    True: {"fp16": 128, "int8": 192},
}
"""Commands of an Expand of one number a channel, and of each of its tasks, by whether there are several
cores; those take twice as many channels at a time."""
REPEAT_LANES: dict[Dtype, int] = {"fp16": 16, "int8": 32}


def repeated(node: ir.Node, dtype: Dtype, *, is_multicore: bool) -> Effort:
    """Return what an Expand takes that repeats one number a channel over a map: each task has some channels.

    Whatever the size of the map; nothing for all else, which the CPU does. Measured on 64 to 2,048 channels.
    """
    vector = static_shape(node.inputs[0]) if node.op_type == "Expand" else None
    is_vector = vector is not None and len(vector) == MAP_AXES and vector[2:] == (1, 1) and vector[1] > 1
    if vector is None or not is_vector:
        return Effort(0, 0, 1)
    tasks = math.ceil(vector[1] / REPEAT_LANES[dtype] / (1 + is_multicore))
    size = tasks * REPEAT_BYTES[is_multicore][dtype] + REPEAT_START_BYTES
    return Effort(size, tasks * (3 if is_multicore else 1), 2, tasks)
