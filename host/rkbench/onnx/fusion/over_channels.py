"""Attention over channels: vectors over all positions, divided by their lengths, attend to one another.

Heads that one product makes with query, key and value in five axes are apart from the start (XCiT, EdgeNeXt);
those of maps or of products of their own are one map until they meet (Restormer, Retinexformer), whose
vectors are one norm. Read from files of toolkit 2.5.0: 1 to 4 heads of 12 to 128 channels, 64 to 4,096
positions.
"""

from __future__ import annotations

import math

import onnx_ir as ir

from rkbench.onnx.fusion.patterns import next_node
from rkbench.onnx.values import static_shape
from rkbench.rknn.targets import Dtype

LONGEST_WAY = 8
MOVING = frozenset({"Transpose", "Reshape", "Squeeze", "Identity"})
CUTTING = frozenset({"Split", "Slice", "Gather"})
SCALING = frozenset({"Mul", "Div", "Add", "Softmax", "Transpose"})
JOINT_AXES = 5
"""Of query, key and value of all heads in one map."""


def are_apart(value: ir.Value | None) -> bool:
    """Return whether heads were cut out of a map that has query, key and value on an axis of its own."""
    for _ in range(LONGEST_WAY):
        maker = value.producer() if value is not None else None
        if maker is None or maker.op_type not in (*MOVING, *CUTTING):
            return maker is None  # an input of the network has its heads as they are given
        value = maker.inputs[0]
        if maker.op_type in CUTTING and len(static_shape(value) or ()) == JOINT_AXES:
            return True
    return False


def meets_lengths(product: ir.Node) -> bool:
    """Return whether vectors that were divided by their lengths meet in a product, or the one behind it, and
    their heads are not apart."""
    value = product.inputs[0]
    for _ in range(LONGEST_WAY):
        maker = value.producer() if value is not None else None
        if maker is None:
            return False
        if maker.op_type == "Div" and (source := _with_length(maker)) is not None:
            return not are_apart(source)
        if maker.op_type not in (*SCALING, "MatMul"):
            return False
        value = maker.inputs[0]
    return False


def _with_length(quotient: ir.Node) -> ir.Value | None:
    """Return the vectors that a Div divides by their lengths; None where it divides by something else."""
    value = quotient.inputs[1]
    for _ in range(3):
        maker = value.producer() if value is not None else None
        if maker is None or not maker.inputs:
            return None
        if maker.op_type == "ReduceL2":
            return maker.inputs[0]
        value = maker.inputs[0]
    return None


def turned_channels(node: ir.Node) -> int:
    """Return the channels of vectors that a Transpose made of positions, or a convolution of their own made.

    0 where they were vectors before: one depthwise convolution's, which are cut apart when they are turned.
    """
    source = node.inputs[0]
    maker = source.producer() if source is not None else None
    if maker is None or are_apart(source) or not (maker.op_type == "Transpose" or _is_cut_out(maker)):
        return 0
    return math.prod((static_shape(source) or (0,))[:-1])


def _is_cut_out(maker: ir.Node | None) -> bool:
    """Return whether a map is a piece of what a convolution makes that is cut itself for it."""
    while maker is not None and maker.op_type == "Reshape":
        maker = maker.inputs[0].producer() if maker.inputs[0] is not None else None
    cut = maker if maker is not None and maker.op_type in CUTTING else None
    before = cut.inputs[0].producer() if cut is not None and cut.inputs[0] is not None else None
    return before is not None and before.op_type == "Conv" and before.attributes.get_int("group", 1) == 1


def order_tables(layer_kind: str, node: ir.Node, block: int) -> int:
    """Return how many tables put vectors into another order: one before lengths, one behind the attention.

    There is none where the channels are no whole blocks.
    """
    if layer_kind == "length":
        channels = turned_channels(node)
        return int(channels > 0 and channels % block == 0)
    return int((static_shape(node.outputs[0]) or (1,))[-1] % block == 0 and meets_lengths(node))


TOGETHER_BYTES: dict[bool, dict[Dtype, int]] = {
    False: {"fp16": 3_904, "int8": 4_480},
    True: {"fp16": 4_032, "int8": 4_544},
}
"""Commands of dividing by their lengths the vectors of heads that are not apart, by whether there are several
cores ..."""
TURN_START = {False: 768, True: 1_600}
"""... and of turning them before, beside those of each task."""
PRODUCT_BYTES = 2_000


def products_on_one_core(product: ir.Node) -> tuple[int, int]:
    """Return tasks and commands of the two products of such an attention: some for every four channels."""
    shape = static_shape(product.outputs[0]) or (1, 1)
    tasks = 2 * math.prod(shape[:-2]) * (2 + shape[-1] // 4)
    return tasks, 128 * tasks + 2 * PRODUCT_BYTES


def lies_as_a_map(last: ir.Node) -> bool:
    """Return whether what such an attention makes is a map by another shape alone, which several cores turn
    it for."""
    return next_node(last.outputs[0], "Transpose") is None
