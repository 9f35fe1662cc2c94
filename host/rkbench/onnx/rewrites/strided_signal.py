"""Read a 1-channel signal in steps: a strided 1-D convolution becomes a Reshape and a short kernel.

A kernel of r x s samples with stride s (a short-time Fourier transform, a learned filter bank) is a kernel
of r over frames of s channels; one that is no whole number of strides long gets zeros behind it. Exact. The
compiler pads the one channel and unrolls the wide kernel.
Measured on strides of 4, 8, 16, 32, 64 and 128: from 8 on it pays, on rk3588 int8 from 32 on, as the compiler
stores a table of 131 kB for the Transpose there.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.convolution import convolution_of
from rkbench.onnx.rewrites.geometry import Axis, axes_of
from rkbench.onnx.rewrites.proposal import (
    Proposal,
    Rewrite,
    RewriteContext,
    constant_array,
    is_stored,
    measured,
)
from rkbench.onnx.rewrites.surgery import add_constant, make_node, replace
from rkbench.onnx.values import static_shape

NAME = "strided_signal"
LEAST_STRIDE = 8
LEAST_STRIDE_WITH_TABLE = 32
LEAST_OPSET = 11
BLOCK = 8
"""Frames of whole blocks that come straight from the signal are turned by tasks: by far the most of the file
where they are many and the kernel is short (1,000 frames: kernel 16 by 8 66,352 -> 85,744 bytes on the rk3588
in fp16, kernel 32 by 16 60,529 -> 181,745 on the rk3568; 24 frames, kernel 16: 48,046 -> 49,646). 500 frames,
1,000 behind a Pad, and 128 with a kernel of 256 are smaller."""
HALF_BLOCK = 4
"""On one core in fp16 four frames are a task already (500 frames on the rk3568: kernel 16 25,703 -> 97,639,
32 49,895 -> 99,687; 100 frames, kernel 96: 133,542 -> 46,950)."""


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose frames for a convolution of one channel whose kernel is some strides long."""
    axis = _signal(node) if context.has_fixed_sizes else None
    table = context.cores > 1 and context.dtype == "int8"
    if axis is None or axis.stride < (LEAST_STRIDE_WITH_TABLE if table else LEAST_STRIDE):
        return None
    if context.opset < LEAST_OPSET and (axis.size % axis.stride or axis.before or axis.after):
        return None  # Slice and Pad take their numbers as inputs
    frames = _frames(axis)
    if _is_turned_by_tasks(axis, frames, in_halves=context.cores == 1 and context.dtype == "fp16"):
        return None
    return measured(
        node,
        NAME,
        (
            say(
                "kernel {kernel}, stride {stride} over 1 channel -> kernel {short_kernel} over "
                "{frames} frames of {stride} channels",
                kernel=axis.kernel,
                stride=axis.stride,
                short_kernel=_steps(axis),
                frames=frames,
            )
        ),
        lambda: _apply(node, axis, frames, context.graph),
    )


def _signal(node: ir.Node) -> Axis | None:
    """Return the axis of a convolution of one channel whose kernel is longer than a stride, or as long."""
    geometry, axes = convolution_of(node) if node.op_type == "Conv" else None, axes_of(node)
    if geometry is None or geometry.input_channels != 1 or axes is None or len(axes) != 1:
        return None
    (axis,) = axes
    fits = axis.kernel >= axis.stride and axis.dilation == 1 and axis.before < _frames(axis) * axis.stride
    return axis if fits and is_stored(node.inputs[1]) else None


def _is_turned_by_tasks(axis: Axis, frames: int, *, in_halves: bool) -> bool:
    """Return whether turning the frames takes more than the kernel saves."""
    is_straight = not axis.before and frames * axis.stride == axis.size and axis.stride % BLOCK == 0
    in_blocks = frames % BLOCK == 0 and frames > axis.kernel
    return is_straight and (
        in_blocks or (in_halves and frames % HALF_BLOCK == 0 and frames > 2 * axis.kernel)
    )


def _frames(axis: Axis) -> int:
    """Return how many frames the outputs read, zeros before and behind the signal among them."""
    return axis.outputs + _steps(axis) - 1


def _steps(axis: Axis) -> int:
    """Return how many strides long the kernel is, the last of them filled up with zeros."""
    return -(-axis.kernel // axis.stride)


def _apply(node: ir.Node, axis: Axis, frames: int, graph: ir.Graph) -> None:
    step, name, out = axis.stride, node.name or "signal", static_shape(node.outputs[0])
    weights, batch = constant_array(node.inputs[1]), static_shape(node.inputs[0])
    assert weights is not None and batch is not None
    new = _whole_frames(node, axis, frames * step, graph)
    signal = new[-1].outputs[0] if new else node.inputs[0]
    assert signal is not None
    target = add_constant(graph, f"{name}_frames_shape", np.array([0, frames, step], "int64"))
    shape = (batch[0], frames, step)
    new.append(make_node(graph, "Reshape", [signal, target], name=f"{name}_frames", shape=shape, like=signal))
    shape, order = (batch[0], step, frames), {"perm": [0, 2, 1]}
    last = new[-1].outputs[0]
    new.append(
        make_node(graph, "Transpose", [last], dict(order), name=f"{name}_channels", shape=shape, like=signal)
    )
    filled = np.pad(weights, ((0, 0), (0, 0), (0, _steps(axis) * step - axis.kernel)))
    short = filled.reshape(weights.shape[0], _steps(axis), step).transpose(0, 2, 1)
    kernel = add_constant(graph, f"{name}_short_kernel", short)
    inputs = [new[-1].outputs[0], kernel, *node.inputs[2:]]
    length = {"kernel_shape": [_steps(axis)]}
    new.append(make_node(graph, "Conv", inputs, dict(length), name=name, shape=out, like=node.outputs[0]))
    replace(graph, [node], new)


def _whole_frames(node: ir.Node, axis: Axis, samples: int, graph: ir.Graph) -> list[ir.Node]:
    """Return nodes that bring the signal to the samples that are read, zeros around it among them.

    A Pad, for padding of the short kernel costs more than it saves (kernel 16, stride 8: 66,417 -> 85,745
    bytes instead of 33,009).
    """
    signal, name, batch = node.inputs[0], node.name or "signal", static_shape(node.inputs[0])
    assert signal is not None and batch is not None
    kept, new = min(axis.size, samples - axis.before), list[ir.Node]()
    around = [0, 0, axis.before, 0, 0, samples - axis.before - kept]
    if kept < axis.size:
        new.append(_cut(signal, (batch[0], 1, kept), name, graph))
        signal = new[-1].outputs[0]
    if any(around):
        zeros = add_constant(graph, f"{name}_zeros", np.array(around, "int64"))
        shape = (batch[0], 1, samples)
        new.append(make_node(graph, "Pad", [signal, zeros], name=f"{name}_padded", shape=shape, like=signal))
    return new


def _cut(signal: ir.Value, shape: tuple[int, ...], name: str, graph: ir.Graph) -> ir.Node:
    """Return a Slice that leaves out what no output reads."""
    ends = [np.array([number], "int64") for number in (0, shape[2], 2)]
    places = [add_constant(graph, f"{name}_cut{place}", end) for place, end in enumerate(ends)]
    return make_node(graph, "Slice", [signal, *places], name=f"{name}_cut", shape=shape, like=signal)


REWRITE = Rewrite(
    NAME,
    "a strided convolution of a 1-channel signal becomes a Reshape to frames and a short kernel",
    "Silero VAD, a sequence of windows: 5.42 -> 1.71 MB (rk3588 fp16), 5.53 -> 1.31 (int8), "
    "2.22 -> 1.04 (rk3568 fp16), 2.06 -> 0.73 (int8)",
    propose,
)
