"""What the converter refuses of a kernel: transposed and depthwise ones that it cuts, 3-D ones in groups."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.convolution import MAP_AXES, averages_whole_map, convolution_of
from rkbench.onnx.foreseen import Asked, ForeseenRefusal, name_of
from rkbench.onnx.fusion.patterns import next_node
from rkbench.onnx.fusion.tasks import LINE_BYTES, PART_CHANNELS
from rkbench.onnx.shapes import axes_of
from rkbench.onnx.values import static_shape
from rkbench.rknn import targets
from rkbench.rknn.targets import ELEMENT_BYTES


def lost_padding(node: ir.Node, asked: Asked) -> Iterator[ForeseenRefusal]:
    """A transposed convolution that is cut along its input channels loses its output_padding.

    Measured on kernels of 3 and 5, 32 to 512 channels, toolkit 2.5.0: it is refused from that number of
    channels on from which a dense convolution is cut.
    """
    padding = node.attributes.get_ints("output_padding", ()) if node.op_type == "ConvTranspose" else ()
    weights, known = static_shape(node.inputs[1]) if any(padding) else None, targets.TARGETS.get(asked.target)
    if weights is None or known is None or node.attributes.get_int("group", 1) != 1:
        return
    channels = math.ceil(weights[0] / PART_CHANNELS) * PART_CHANNELS
    line = channels * math.prod(weights[2:]) * ELEMENT_BYTES[asked.dtype]
    if line <= LINE_BYTES[known.npu_cores]:
        return
    yield ForeseenRefusal(
        name_of(node),
        "[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Got invalid dimensions for input: "
        f"{node.outputs[0].name} for the following indices",
        say("a transposed convolution so large that it is cut, which loses its output_padding"),
        say(
            "make the kernel larger by the output_padding, with zeros at its end, which gives the same "
            "outputs (bench fix does)"
        ),
    )


def padded_alike(node: ir.Node, _asked: Asked) -> Iterator[ForeseenRefusal]:
    """A transposed convolution over two axes whose padding is left to SAME, and its output's size too.

    8 of 8 conversions by toolkit 2.5.0: kernels of 3, 4 and 17, strides of 1 and 2, depthwise, for the rk3588
    in fp16, one for the rk3568 in int8; with an output_shape, and with VALID, it converts.
    """
    if node.op_type != "ConvTranspose" or not node.attributes.get_string("auto_pad", "").startswith("SAME"):
        return
    if len(static_shape(node.inputs[1]) or ()) == MAP_AXES and "output_shape" not in node.attributes:
        yield ForeseenRefusal(
            name_of(node),
            "IndexError: list index out of range",
            say("a transposed convolution whose padding is left to auto_pad, without an output_shape"),
            say("write its padding out as pads, or give it the output_shape"),
        )


def picked_from_depthwise(node: ir.Node, asked: Asked) -> Iterator[ForeseenRefusal]:
    """Some channels of a depthwise convolution, which a global average is too: the kernel is cut, its groups
    are not.

    11 of 11 conversions, 8 of 64 to 1,032 of 2,064 channels; all channels in another order, an activation
    between, a map that others read too, and other convolutions convert.
    """
    channels = _depthwise_channels(node)
    picked = _gather_behind(node)
    if picked is None or picked.attributes.get_int("axis", 0) != 1 or picked.inputs[1] not in asked.constants:
        return
    count = math.prod(static_shape(picked.inputs[1]) or (0,))
    if 0 < count < channels == (static_shape(picked.inputs[0]) or (0, 0))[1]:
        yield ForeseenRefusal(
            name_of(picked),
            f"Output channels M is not divisible by group. M: {count} group: {channels} (of few channels: "
            "ValueError: All outputs ... of model are constants, The model is invalid!)",
            say("some channels are picked of a depthwise convolution, which a global average is too"),
            say("pick the channels before it: each is computed by itself, so the results are the same"),
        )


def grouped_depth(node: ir.Node, _asked: Asked) -> Iterator[ForeseenRefusal]:
    """A 3-D convolution of groups with several channels each ends the converter's process.

    9 of 9 conversions of toolkit 2.5.0: 32 channels in 2 and 4 groups, kernels of 1x1x1, 3x1x1 and 3x3x3
    (rk3588 in fp16), 3x3x3 elsewhere. Groups of one channel convert, as do convolutions side by side.
    """
    weights = static_shape(node.inputs[1]) if node.op_type == "Conv" else None
    if weights is None or len(weights) != 5 or node.attributes.get_int("group", 1) == 1 or weights[1] == 1:
        return
    yield ForeseenRefusal(
        name_of(node),
        "vector::_M_range_check: __n (which is 2) >= this->size() (which is 3)",
        say("a 3-D convolution of groups with several channels each, at which the converter's process ends"),
        say("one convolution for each group, between a Split and a Concat, which gives the same outputs"),
    )


def _gather_behind(node: ir.Node) -> ir.Node | None:
    """Return the Gather that alone reads what a node makes, in another shape at most."""
    found = next_node(node.outputs[0], "Gather", "Reshape", "Flatten", "Squeeze")
    while found is not None and found.op_type != "Gather":
        found = next_node(found.outputs[0], "Gather", "Reshape", "Flatten", "Squeeze")
    return found


def _depthwise_channels(node: ir.Node) -> int:
    """Return the channels of a depthwise convolution or a global average; 0 for all else."""
    shape = static_shape(node.inputs[0]) if node.inputs else None
    if shape is None or len(shape) != 4:
        return 0
    both = node.op_type == "ReduceMean" and sorted(axis % 4 for axis in axes_of(node)) == [2, 3]
    if both or node.op_type == "GlobalAveragePool" or averages_whole_map(node):
        return shape[1]
    geometry = convolution_of(node) if node.op_type == "Conv" else None
    own = geometry is not None and geometry.groups == geometry.output_channels == shape[1] > 1
    return shape[1] if own else 0


RULES: tuple[Callable[[ir.Node, Asked], Iterator[ForeseenRefusal]], ...] = (
    lost_padding,
    padded_alike,
    picked_from_depthwise,
    grouped_depth,
)
