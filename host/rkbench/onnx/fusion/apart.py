"""Concats that are taken apart: the convolution behind one reads each part by itself, and the sums are added.

Read from files of toolkit 2.5.0: right for 240 of 241 Concats before one convolution of one group.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace
from itertools import accumulate

import onnx_ir as ir

from rkbench.onnx.convolution import Convolution
from rkbench.onnx.fusion.layer import FusedLayer
from rkbench.onnx.fusion.patterns import next_node, other_input, users
from rkbench.onnx.values import data_of, static_shape

CUT_BLOCK = 8
"""A part that begins within a block of so many channels makes the compiler take a Concat apart, on every
target."""


def takes_everything(node: ir.Node) -> bool:
    """Return whether a Slice hands a joined map on whole, as `x[:, :count]` of so many channels does."""
    joined = node.inputs[0] if node.op_type == "Slice" and parts_of_concat(node.inputs[0]) else None
    if joined is None or static_shape(joined) != static_shape(node.outputs[0]):
        return False
    given = node.inputs[4] if len(node.inputs) > 4 else None
    steps = data_of(ir.convenience.get_const_tensor(given)) if given is not None else None
    return steps is None or bool((steps > 0).all())  # `x[:, ::-1]` is as long


def _before_slice(value: ir.Value | None) -> ir.Value | None:
    """Return the map that a Slice hands on whole to one reader; else the value itself."""
    maker = value.producer() if value is not None else None
    if maker is None or not takes_everything(maker) or len(users(value)) != 1:
        return value
    return maker.inputs[0]


def parts_of_concat(value: ir.Value | None) -> tuple[int, ...]:
    """Return the channels of each part of a joined map of four dimensions; () if it is none."""
    maker = value.producer() if value is not None else None
    if value is None or maker is None or maker.op_type != "Concat":
        return ()
    shapes = [static_shape(part) for part in maker.inputs]
    channels = tuple(shape[1] for shape in shapes if shape is not None and len(shape) == 4)
    joined = static_shape(value)
    whole = joined is not None and len(channels) == len(shapes) > 1 and joined[1] == sum(channels)
    return channels if whole else ()


def taken_apart(
    value: ir.Value | None, outputs: int, kernel_area: int, constants: Set[ir.Value] = frozenset()
) -> tuple[int, ...]:
    """Return the channels of the parts that a convolution to `outputs` channels reads; () where the Concat
    stays.

    It stays where others read it too, and where a part is a constant (CoordConv). Else it goes where a part
    of a 1x1 begins within a block, or where the sums that are written and read again are fewer than what
    would be copied.
    """
    value = _before_slice(value)
    channels = parts_of_concat(value)
    if value is None or not channels or len(users(value)) != 1:
        return ()
    maker = value.producer()
    if maker is not None and not constants.isdisjoint(maker.inputs):
        return ()
    starts = list(accumulate(channels))[:-1]
    cut = kernel_area == 1 and any(start % CUT_BLOCK for start in starts)
    cheap = 2 * len(starts) * outputs < sum(channels)
    return channels if cut or cheap else ()


def apart(whole: Convolution, channels: tuple[int, ...]) -> tuple[Convolution, ...]:
    """Return the convolutions of all parts; the last one, which adds the sum, has the bias."""
    last = len(channels) - 1
    return tuple(
        replace(whole, input_channels=count, has_bias=whole.has_bias and index == last)
        for index, count in enumerate(channels)
    )


def shuffled(node: ir.Node) -> ir.Value | None:
    """Return the map that a channel shuffle, which ends in `node`, begins with."""
    transpose = node.inputs[0].producer() if node.inputs[0] is not None else None
    first = (
        transpose.inputs[0].producer() if transpose is not None and transpose.inputs[0] is not None else None
    )
    return first.inputs[0] if first is not None else None


def cut_parts(node: ir.Node) -> list[ir.Value]:
    """Return the parts that a Split, or the Slices of one map, makes of its channels, in their order.

    Empty where the parts are not all of them; all Slices of a map name the same parts.
    """
    source = node.inputs[0]
    slices = [user for user in users(source) if user.op_type == "Slice"]
    values = list(node.outputs) if node.op_type == "Split" else [each.outputs[0] for each in slices]
    shapes, whole = [static_shape(value) for value in values], static_shape(source)
    channels = [shape[1] for shape in shapes if shape is not None and len(shape) == 4]
    fits = (
        whole is not None
        and len(whole) == 4
        and len(channels) == len(values) > 1
        and sum(channels) == whole[1]
    )
    return values if fits else []


def merged_with_shuffle(node: ir.Node) -> ir.Node | None:
    """Return what costs nothing where a channel shuffle ends in `node`: the node itself, or a 1x1 behind it.

    A 1x1 that is all that reads the shuffled map has its filters permuted. The halves of a map are fetched by
    a 1x1 each where they are whole blocks, and one that goes on with a half is computed in it.
    """
    source = shuffled(node)
    maker = source.producer() if source is not None else None
    if maker is not None and source is not None and _takes_shuffles(maker) and len(users(source)) == 1:
        return node  # its filters are permuted: right for one group, wrong for more (IGCV3)
    behind = [user for user in users(node.outputs[0]) if user.op_type != "Shape"]
    if len(behind) == 1 and behind[0].op_type == "Conv" and _is_pointwise(behind[0]):
        return node
    parts = cut_parts(behind[0]) if behind and behind[0].op_type in ("Split", "Slice") else []
    shapes = [static_shape(part) for part in parts]
    if not parts or any(shape is None or shape[1] % CUT_BLOCK for shape in shapes):
        return None
    found = [next_node(part, "Conv") for part in parts]
    return next((conv for conv in found if conv is not None and _is_pointwise(conv)), None)


def _takes_shuffles(node: ir.Node) -> bool:
    """Return whether the compiler permutes the filters of what a shuffle follows."""
    weight = static_shape(node.inputs[1]) if node.op_type == "Conv" else None
    return weight is not None and node.attributes.get_int("group", 1) < weight[0]


def _is_pointwise(node: ir.Node) -> bool:
    kernel = static_shape(node.inputs[1])
    strides = node.attributes.get_ints("strides", (1,))
    ones = kernel is not None and max(kernel[2:]) == 1 and max(strides) == 1
    return ones and node.attributes.get_int("group", 1) == 1


def has_third_between(node: ir.Node, layers: list[FusedLayer], *branches: FusedLayer) -> bool:
    """Return whether an Add of two branches goes on to one more convolution of their map, which stands
    between them and the Add.

    Then all of them stay apart: 14 of 14 conversions of three to six branches, whatever their kernels (rk3588
    in fp16). One that stands before them or behind the Add is merged in its turn, as are two pairs.
    """
    behind = next_node(node.outputs[0], "Add")
    other = other_input(behind, node.outputs[0]) if behind is not None else None
    maker = other.producer() if other is not None else None
    if maker is None or maker.op_type != "Conv" or maker.inputs[0] is not branches[0].node.inputs[0]:
        return False
    last = max(layers.index(branch) for branch in branches)
    return any(layer.node is maker for layer in layers[last + 1 :])
