"""The geometry of a convolution, what the compiler makes of it, and what that costs in bytes. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import onnx_ir as ir

from rkbench.language.said import Said, say
from rkbench.onnx.values import static_shape
from rkbench.rknn import targets
from rkbench.rknn.targets import Dtype

KEPT = say("kept grouped")
DENSE = say("grouped, made dense")
DEPTHWISE = say("depthwise")
MULTIPLIER = say("depthwise multiplier, made dense")
ORDINARY = say("ordinary")


@dataclass(frozen=True)
class Convolution:
    """A Conv or ConvTranspose (1-D ones are one row high), or a matrix product as the 1x1 that it becomes."""

    output_channels: int
    input_channels: int
    groups: int = 1
    kernel: tuple[int, ...] = (1, 1)
    strides: tuple[int, ...] = (1, 1)
    dilations: tuple[int, ...] = (1, 1)
    input_size: tuple[int, ...] | None = None
    """Spatial dimensions of the input map; None if the graph does not say."""
    output_size: tuple[int, ...] | None = None
    transposed: bool = False
    has_bias: bool = True
    """Whether the ONNX has a bias, or a batch normalization that becomes one; int8 layers always get one."""
    batch: int = 1
    """Maps that it computes one after the other."""

    @property
    def channels_per_group(self) -> int:
        """Input channels of each group: the `cpg` of the rule."""
        return self.input_channels // self.groups

    @property
    def kernel_area(self) -> int:
        """Elements of one kernel."""
        return math.prod(self.kernel)

    @property
    def elements(self) -> int:
        """Elements of the weights, without bias."""
        return self.output_channels * self.channels_per_group * self.kernel_area

    @property
    def dilated_extent(self) -> int:
        """The longest side of the kernel with its holes, in pixels."""
        return max((size - 1) * step + 1 for size, step in zip(self.kernel, self.dilations, strict=True))

    def regrouped(self, factor: int) -> Convolution:
        """Return it with `factor` neighbouring groups merged into one block-diagonal group."""
        return replace(self, groups=self.groups // factor)


def convolution_of(node: ir.Node) -> Convolution | None:
    """Return the geometry of a Conv or ConvTranspose node; None where the weight's shape is not known."""
    shape = static_shape(node.inputs[1]) if len(node.inputs) > 1 else None
    if shape is None or len(shape) < 3:
        return None
    if len(shape) == 5 and (flat := _laid_flat(node, shape)):
        return flat
    groups = node.attributes.get_int("group", 1)
    transposed = node.op_type == "ConvTranspose"
    # Conv weights are (out, in / groups, *kernel), those of ConvTranspose (in, out / groups, *kernel).
    outputs, inputs = (shape[1] * groups, shape[0]) if transposed else (shape[0], shape[1] * groups)
    ones = (1,) * (len(shape) - 2)
    return Convolution(
        outputs,
        inputs,
        groups,
        shape[2:],
        tuple(node.attributes.get_ints("strides", ones)),
        tuple(node.attributes.get_ints("dilations", ones)),
        _spatial(node.inputs[0]),
        _spatial(node.outputs[0]),
        transposed,
        (len(node.inputs) > 2 and node.inputs[2] is not None) or _is_normalized(node),
        (static_shape(node.inputs[0]) or (1,))[0],
    )


def moves_along_channels(node: ir.Node) -> bool:
    """Return whether a node is a 3-D convolution that moves along the channels of a map alone.

    The map is its one channel, of depth C: (1, 1, C, H, W).
    """
    if node.op_type != "Conv" or len(node.inputs) < 2:
        return False
    kernel, before, after = (static_shape(value) for value in (*node.inputs[:2][::-1], node.outputs[0]))
    if kernel is None or len(kernel) != 5 or before is None or after is None:
        return False
    return kernel[1] == before[1] == 1 and kernel[3:] == (1, 1) and before[3:] == after[3:]


def _laid_flat(node: ir.Node, kernel: tuple[int, ...]) -> Convolution | None:
    """Return the 2-D convolution that a 3-D one becomes, of all channels at all depths; None without sizes.

    Measured with rknn-toolkit2 2.5.0: dense whatever its groups, and with a bias always.
    """
    before, after = static_shape(node.inputs[0]) or (), static_shape(node.outputs[0]) or ()
    if len(before) != 5 or len(after) != 5:
        return None
    return Convolution(
        math.prod(after[1:3]),
        math.prod(before[1:3]),
        kernel=kernel[3:],
        strides=tuple(node.attributes.get_ints("strides", (1, 1, 1))[1:]),
        dilations=tuple(node.attributes.get_ints("dilations", (1, 1, 1))[1:]),
        input_size=before[3:],
        output_size=after[3:],
        transposed=node.op_type == "ConvTranspose",
        batch=before[0],
    )


def note_of_depth(kernel: tuple[int, ...]) -> Said:
    """Return what becomes of a kernel of five dimensions."""
    return say(
        "a 3-D kernel ({kernel} in the ONNX) is stored as a dense one of all channels at all depths, with "
        "zeros between",
        kernel="x".join(map(str, kernel)),
    )


MAP_AXES = 4
LARGEST_WINDOW = 7
"""The side of the largest window that the NPU averages."""


def averages_whole_map(node: ir.Node) -> bool:
    """Return whether an AveragePool has a window as large as its map: it is a global one. In 3-D none is."""
    if node.op_type != "AveragePool" or any(node.attributes.get_ints("pads", ())):
        return False
    if len(static_shape(node.inputs[0]) or ()) > MAP_AXES:
        return False
    return tuple(node.attributes.get_ints("kernel_shape", ())) == _spatial(node.inputs[0])


def average_of(node: ir.Node) -> Convolution | None:
    """Return the depthwise convolution that an AveragePool with a larger window becomes; None for others.

    One over depth, height and width is laid flat: dense, of all channels at all depths (CSN, X3D). That of
    one channel along those of a map, as torch writes LocalResponseNorm, is no kernel (HyNet, SOSNet).
    """
    if node.op_type != "AveragePool":
        return None
    depth = tuple(node.attributes.get_ints("kernel_shape", ()))
    if len(depth) == 3:
        along_channels = (static_shape(node.inputs[0]) or (1, 0))[1] == 1
        return None if along_channels else _laid_flat(node, (1, 1, *depth))
    window, shape = tuple(node.attributes.get_ints("kernel_shape", ())), static_shape(node.inputs[0])
    if shape is None or len(shape) != 4 or max(window) <= LARGEST_WINDOW:
        return None
    return Convolution(
        shape[1],
        shape[1],
        shape[1],
        window,
        tuple(node.attributes.get_ints("strides", (1, 1))),
        input_size=_spatial(node.inputs[0]),
        output_size=_spatial(node.outputs[0]),
        has_bias=False,
        batch=shape[0],
    )


def _is_normalized(node: ir.Node) -> bool:
    return any(user.op_type in ("BatchNormalization", "Add") for user in node.outputs[0].consumers())


def _spatial(value: ir.Value | None) -> tuple[int, ...] | None:
    shape = static_shape(value)
    return shape[2:] if shape is not None and len(shape) > 2 else None


def fate(convolution: Convolution, target: str, dtype: Dtype, toolkit_version: str | None = None) -> Said:
    """Return what the compiler makes of a convolution: one of the constants of this module.

    Unknown alignments (a SoC that nobody measured) count as kept. Source: conversions,
    of which `tests/toolkit` repeats the table.
    """
    if convolution.groups == 1:
        return ORDINARY
    if convolution.transposed:
        plain = convolution.elements == convolution.input_channels * convolution.kernel_area
        return DEPTHWISE if plain else KEPT
    if convolution.channels_per_group == 1:
        plain = convolution.output_channels == convolution.input_channels
        return DEPTHWISE if plain else MULTIPLIER
    dense = targets.becomes_dense(convolution.channels_per_group, target, dtype, toolkit_version)
    return DENSE if dense else KEPT


def constant_bytes(
    convolution: Convolution, target: str, dtype: Dtype, toolkit_version: str | None = None
) -> int:
    """Return the bytes of weights and bias in the .rknn, padding included.

    A SoC without a measured layout is predicted without padding.
    """
    element = targets.ELEMENT_BYTES[dtype]
    becomes = fate(convolution, target, dtype, toolkit_version)
    outputs, inputs, area = convolution.output_channels, convolution.input_channels, convolution.kernel_area
    layout = targets.weight_layout(target, dtype)
    if layout is None:
        dense = becomes in (DENSE, MULTIPLIER)
        return (outputs * inputs * area if dense else convolution.elements) * element + outputs * 4
    has_bias = convolution.has_bias or dtype == "int8"
    if becomes == DEPTHWISE:
        weights = targets.depthwise_weight_bytes(outputs, area, layout)
        return weights + has_bias * targets.bias_bytes(outputs, layout, depthwise=True)
    count = convolution.groups if becomes == KEPT else 1
    weights = targets.convolution_weight_bytes(outputs // count, inputs // count, area, layout, dtype)
    branches = count * (weights + has_bias * targets.bias_bytes(outputs // count, layout))
    return branches + _realignment_bytes(outputs, count, layout, dtype)


def _realignment_bytes(outputs: int, groups: int, layout: targets.WeightLayout, dtype: Dtype) -> int:
    """Return the bytes of the 1x1 that joins groups whose output channels are no multiple of the alignment.

    Measured on 64 to 48, 40, 32 and 16 channels in 4 groups: such groups are padded, then picked together.
    """
    multiple = layout.minimum_input
    padded = -(-(outputs // groups) // multiple) * multiple
    if groups == 1 or padded * groups == outputs:
        return 0
    return targets.convolution_weight_bytes(outputs, padded * groups, 1, layout, dtype)


def needed_bytes(convolution: Convolution, dtype: Dtype) -> int:
    """Return the bytes that the weights themselves take at this dtype: no padding, no zeros, no bias."""
    return convolution.elements * targets.ELEMENT_BYTES[dtype]
