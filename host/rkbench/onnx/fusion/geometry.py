"""Geometry of what becomes convolutions or pieces: products by weights, cascades of pools, parts."""

from __future__ import annotations

import math

import onnx_ir as ir

from rkbench.onnx.convolution import MAP_AXES, Convolution
from rkbench.onnx.fusion.batch import are_rows
from rkbench.onnx.fusion.layer import FusedLayer
from rkbench.onnx.fusion.patterns import next_node, users
from rkbench.onnx.fusion.tasks import LARGEST_IMAGE
from rkbench.onnx.shapes import pooling_kernels
from rkbench.onnx.values import static_shape


def parts_of(node: ir.Node) -> int:
    """Return how many maps a Concat joins or a Split makes."""
    return len(node.inputs) if node.op_type == "Concat" else len(node.outputs)


def is_vector(constant: ir.Value) -> bool:
    """Return whether a constant has one number for all, or one a channel: along one axis at most."""
    shape = static_shape(constant)
    return shape is not None and sum(size > 1 for size in shape) <= 1


def product_of(node: ir.Node) -> Convolution | None:
    """Return the 1x1 convolution that a product by stored weights becomes: rows of a map are its pixels."""
    weight, data = node.inputs[1], static_shape(node.inputs[0])
    shape = static_shape(weight)
    if shape is None or len(shape) != 2:
        return None
    inputs, outputs = shape[::-1] if node.attributes.get_int("transB", 0) else shape
    if is_by_rows(node):
        data = data[1:] if data is not None else data
    # [steps, 1, features] is one map, a step a row.
    apart = data is not None and len(data) > 2 and data[1:-1] != (1,) and not are_rows(data)
    batch = data[0] if data is not None and apart else 1
    pixels = math.prod(data) // inputs // batch if data and inputs and batch else 1
    size: tuple[int, ...] = data[1:3] if data is not None and len(data) == 4 else (1, pixels)
    if data is not None and are_rows(data):
        size = data[:2]
    return Convolution(outputs, inputs, input_size=size, output_size=size, batch=max(batch, 1))


def is_by_rows(product: ir.Node) -> bool:
    """Return whether a product by stored weights takes each row of a map for a map of its own.

    Channels come last, a row is no multiple of four, and the map is not made tokens behind it. Read from
    files of toolkit 2.5.0: products and norms before them, 14x14 and 7x7 but not 28x28 and 56x56.
    """
    shape, weights = static_shape(product.inputs[0]), static_shape(product.inputs[1])
    if shape is None or len(shape) != 4 or weights is None or len(weights) != 2:
        return False
    is_map = shape[0] == 1 < min(shape[1:3]) and shape[2] % ROW_PIXELS != 0
    is_kept = not any(user.op_type in ("Reshape", "Shape") for user in product.outputs[0].consumers())
    return is_map and is_kept and not _is_turned_alone(product)


def rows_apart(layer: FusedLayer) -> int:
    """Return the rows of the map that a layer makes if the product behind takes each for a map; 0 if not."""
    made = layer.nodes[-1].outputs[0] if layer.nodes else layer.node.outputs[0]
    product, shape = next_node(made, "MatMul"), static_shape(made)
    return shape[1] if shape is not None and product is not None and is_by_rows(product) else 0


def _is_turned_alone(product: ir.Node) -> bool:
    """Return whether a Transpose gives what a product reads, of a map that nothing else reads: it is none.

    A sum with the map that came before keeps the channels where they are.
    """
    value: ir.Value | None = product.inputs[0]
    for _ in range(MOST_BETWEEN):
        maker = value.producer() if value is not None else None
        if value is None or maker is None or any(_joins(value, user) for user in value.consumers()):
            return False
        if maker.op_type == "Transpose":
            turned = maker.inputs[0]
            return turned is not None and len(turned.uses()) == 1
        value = next((one for one in maker.inputs if len(static_shape(one) or ()) == MAP_AXES), None)
    return False


def _joins(value: ir.Value, node: ir.Node) -> bool:
    """Return whether a node adds another map to a value; its own powers, as in a GELU, are no other."""
    other = next((one for one in node.inputs if one is not None and one is not value), None)
    if node.op_type != "Add" or other is None or static_shape(other) != static_shape(value):
        return False
    return not _is_power(other, value) and not _is_power(value, other)


def _is_power(value: ir.Value, base: ir.Value) -> bool:
    """Return whether a map is another one times itself and numbers."""
    found = {value}
    for _ in range(MOST_POWERS):
        makers = [maker for one in found if (maker := one.producer()) and maker.op_type in ("Mul", "Pow")]
        found = {one for maker in makers for one in maker.inputs if one is not None}
        if base in found:
            return True
    return False


MOST_POWERS = 4
MOST_BETWEEN = 40
"""Nodes of norms and activations between a map and the product that reads it."""
ROW_PIXELS = 4


def steps(size: tuple[int, int], channels: int) -> list[Convolution]:
    """Return each step of the cascade of depthwise convolutions that pools a map to one pixel."""
    found, now = [], size
    for _ in pooling_kernels(size):
        kernel = (min(now[0], 7), min(now[1], 7))
        after = (math.ceil(now[0] / 7), math.ceil(now[1] / 7))
        found.append(
            Convolution(channels, channels, channels, kernel, kernel, input_size=now, output_size=after)
        )
        now = after
    return found


def attended_nodes(node: ir.Node) -> tuple[ir.Node, ...]:
    """Return what follows a product up to the second one of an attention, that included; () if it is none.

    A mask of shifted windows is added to another view of the scores, between two Reshapes.
    """
    inner: list[ir.Node] = []
    value = node.outputs[0]
    for _ in range(3):
        scaled = next_node(value, "Mul", "Div", "Add")
        found = (scaled,) if scaled is not None else _masked(value)
        if not found:
            break
        inner += found
        value = found[-1].outputs[0]
    softmax = next_node(value, "Softmax")
    product = next_node(softmax.outputs[0], "MatMul") if softmax is not None else None
    return () if softmax is None or product is None else (*inner, softmax, product)


def _masked(scores: ir.Value) -> tuple[ir.Node, ...]:
    """Return a view of scores, the sum with a mask, and the view back; () for other nodes."""
    view = next_node(scores, "Reshape")
    added = next_node(view.outputs[0], "Add") if view is not None else None
    back = next_node(added.outputs[0], "Reshape") if added is not None else None
    if view is None or added is None or back is None:
        return ()
    return (view, added, back) if static_shape(back.outputs[0]) == static_shape(scores) else ()


def is_padded_far(node: ir.Node) -> bool:
    """Return whether a convolution's rim is wider than the NPU adds itself: a Pad before it does."""
    return max(node.attributes.get_ints("pads", (0,))) > WIDEST_RIM


WIDEST_RIM = 15
"""Pixels; the register has four bits."""


def turned_image(value: ir.Value) -> Convolution | None:
    """Return the 1x1 that brings an image into the NPU's order where others than convolutions read it too;
    None for other inputs.

    Read from files of toolkit 2.5.0: four segmentation networks whose input is pooled as well, and one that
    slices it.
    """
    shape, readers = static_shape(value), {user.op_type for user in users(value)}
    image = shape is not None and len(shape) == 4 and 1 < shape[1] <= LARGEST_IMAGE
    if not image or shape is None or not readers & {"MaxPool", "AveragePool", "Slice", "Split", "Concat"}:
        return None
    channels, size = shape[1], shape[2:]
    return Convolution(channels, channels, channels, input_size=size, output_size=size, has_bias=False)


def turns_positions(node: ir.Node) -> bool:
    """Return whether a Transpose swaps the last two axes of several heads for a product that is no attention.

    The keys of an attention with a softmax behind the product are read as they lie.
    """
    shape, order = static_shape(node.inputs[0]), tuple(node.attributes.get_ints("perm", ()))
    product = next_node(node.outputs[0], "MatMul")
    if shape is None or len(shape) != 4 or order != (0, 1, 3, 2) or product is None:
        return False
    behind = product.outputs[0]
    for _ in range(3):
        found = next_node(behind, "Mul", "Div", "Add", "Softmax")
        if found is None:
            return True
        if found.op_type == "Softmax":
            return False
        behind = found.outputs[0]
    return True


def joins_heads(node: ir.Node) -> bool:
    """Return whether a Transpose joins heads whose positions lie last, as in attention over channels."""
    return tuple(node.attributes.get_ints("perm", ())) == (0, 3, 1, 2)
