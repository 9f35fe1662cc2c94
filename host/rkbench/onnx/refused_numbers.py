"""What the converter refuses of how numbers are written, though they are right (toolkit 2.5.0)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.foreseen import Asked, ForeseenRefusal, name_of
from rkbench.onnx.fusion.patterns import next_node
from rkbench.onnx.plain_numbers import bare_attribute, lies_in_one_piece
from rkbench.onnx.shapes import axes_of
from rkbench.onnx.values import data_of, static_shape

AVERAGES = ("AveragePool", "GlobalAveragePool", "ReduceMean")
BEFORE_CONVOLUTION = ("Identity", "Pad", "BatchNormalization", "Mul")
"""What may stand between a Pad and the convolution that it is joined with: it goes into that, too."""


def joined_pads(node: ir.Node, _asked: Asked) -> Iterator[ForeseenRefusal]:
    """The zeros of a Pad go into the convolution behind it, and its own pads are set to zero where they lie.

    27 of 27 small graphs, rk3588 in fp16: refused are an initializer and a Constant whose numbers lie in one
    piece, of a map of two axes, before a convolution and what becomes one (an average); a list of numbers,
    computed ones, other modes and values, pads taken away, `axes`, a map that two read, signals and volumes
    convert.
    """
    if is_joined_pad(node):
        yield ForeseenRefusal(
            name_of(node),
            "ValueError: assignment destination is read-only",
            say(
                "its pads lie in the file in one piece (raw_data), into which the converter may not write "
                "where it makes them the pads of the convolution behind"
            ),
            say("write the pads as a list of numbers, or as the pads of the convolution; bench fix does"),
        )


def is_joined_pad(node: ir.Node) -> bool:
    """Return whether the converter writes into the pads of a node, and may not."""
    shape = static_shape(node.inputs[0]) if node.op_type == "Pad" and 1 < len(node.inputs) < 4 else None
    if shape is None or len(shape) != 4 or node.attributes.get_string("mode", "constant") != "constant":
        return False
    pads = node.inputs[1]
    value = node.inputs[2] if len(node.inputs) > 2 else None
    if pads is None or not lies_in_one_piece(pads) or not (value is None or _is_zero(value)):
        return False
    numbers = data_of(ir.convenience.get_const_tensor(pads))
    if numbers is None or not numbers.any() or (numbers < 0).any():
        return False
    return _ends_in_convolution(node)


def _is_zero(value: ir.Value) -> bool:
    number = data_of(ir.convenience.get_const_tensor(value))
    return number is not None and not np.any(number)


def _ends_in_convolution(node: ir.Node) -> bool:
    """Return whether a convolution alone reads what a Pad makes, or what the compiler makes one."""
    follower: ir.Node | None = node
    while follower is not None and (follower is node or follower.op_type in BEFORE_CONVOLUTION):
        if follower.op_type == "Mul" and not _has_constant(follower):
            return False
        follower = next_node(follower.outputs[0], *BEFORE_CONVOLUTION, *AVERAGES, "Conv")
    if follower is None:
        return False
    if follower.op_type == "AveragePool":
        counted = follower.attributes.get_int("count_include_pad", 0)
        return not counted and not any(follower.attributes.get_ints("pads", ()))
    return follower.op_type != "ReduceMean" or sorted(axis % 4 for axis in axes_of(follower)) == [2, 3]


def _has_constant(node: ir.Node) -> bool:
    return any(
        value is not None and ir.convenience.get_const_tensor(value) is not None for value in node.inputs
    )


def bare_numbers(node: ir.Node, asked: Asked) -> Iterator[ForeseenRefusal]:
    """A Constant that holds its numbers without a tensor, read or not (7 of 7 small graphs)."""
    bare = [one for one in asked.graph if bare_attribute(one)] if node is asked.graph[0] else []
    if bare:
        attribute = bare_attribute(bare[0]) or ""
        kind = "list" if attribute.endswith("s") else KINDS.get(attribute, "bytes")
        yield ForeseenRefusal(
            name_of(bare[0]),
            f"AttributeError: '{kind}' object has no attribute 'HasField'",
            say(
                "Constants that hold their numbers without a tensor ({attribute}; in this file: {count:,})",
                attribute=attribute,
                count=len(bare),
            ),
            say("store them as tensors (value); bench fix does"),
        )


KINDS = {"value_int": "int", "value_float": "float"}
RULES: tuple[Callable[[ir.Node, Asked], Iterator[ForeseenRefusal]], ...] = (bare_numbers, joined_pads)
