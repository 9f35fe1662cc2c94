"""Which values of a graph the converter computes once and stores: constants, given or folded."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from rkbench.onnx.model import FLOATS
from rkbench.onnx.values import data_of, static_shape

RANDOM = frozenset({"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial"})


def constant_values(graph: ir.Graph) -> set[ir.Value]:
    """Return every value that does not depend on an input: initializers and what nodes make of them.

    Nodes are taken in the order of the graph, which ONNX requires to be topological. Initializers that are
    listed as inputs too (`keep_initializers_as_inputs`) are constants: the converter freezes them.
    """
    constants = set(graph.initializers.values())
    for node in graph:
        if _is_folded(node, constants):
            constants.update(node.outputs)
    return constants


LARGEST_ZEROS = 2**16
"""Elements of a constant that is looked at for zeros."""


def stored_values(graph: ir.Graph) -> set[ir.Value]:
    """Return what the converter computes once, or not at all: constants, products with zeros, what nobody
    reads.

    A product with zeros that come through an Identity, as torch exports weights that are equal, is a map of
    zeros, which is stored in full where it is read; with others nothing is stored (16 conversions).
    What an If hands on whose condition is a constant is computed once too, on a map of the converter's.
    """
    found = constant_values(graph)
    for node in graph:
        is_zero = zeros_of(node) is not None or weighs_nothing(node)
        if is_zero or _is_folded(node, found) or is_frozen(node, found):
            found.update(node.outputs)
    for node in reversed(graph):
        outputs = [value for value in node.outputs if value not in found]
        if outputs and not any(_is_read(value, found) for value in outputs):
            found.update(outputs)
    return found


def is_frozen(node: ir.Node, constants: set[ir.Value]) -> bool:
    """Return whether a node is an If that is always decided alike: its outcome is stored as a constant, also
    where its branches read maps (seen in ZFNet, whose LocalResponseNorm torch exports so).

    One whose answer is stored itself is refused: the converter loses that.
    """
    if node.op_type != "If" or node.inputs[0] not in constants:
        return False
    return ir.convenience.get_const_tensor(node.inputs[0]) is None


def zeros_of(node: ir.Node) -> ir.Value | None:
    """Return the stored zeros that a product is made with, or what hands them on; None for all else."""
    if node.op_type != "Mul" or any(map(_is_normed, node.inputs)):
        return None
    return next((value for value in node.inputs if _is_zero(value)), None)


def weighs_nothing(node: ir.Node) -> bool:
    """Return whether all weights of a convolution are zero: it makes its bias of whatever it reads, which the
    converter computes once (7 of 7 conversions).

    So do blocks that begin as identities (`zero_init_last`), before they are trained.
    """
    weights = node.inputs[1] if node.op_type == "Conv" and len(node.inputs) > 1 else None
    stored = weights.const_value if weights is not None and weights.producer() is None else None
    numbers = data_of(stored)
    return numbers is not None and not numbers.flat[:1].any() and not numbers.any()


def _is_normed(value: ir.Value | None) -> bool:
    """Return whether a value is a norm's, before its scale: that is one layer, and nothing in it is left out.

    Seen on SwinV2-CR, whose norms begin with scales of zero.
    """
    divided = value.producer() if value is not None else None
    if divided is None or divided.op_type != "Div":
        return False
    root = divided.inputs[1].producer() if divided.inputs[1] is not None else None
    return root is not None and root.op_type == "Sqrt"


def _is_zero(value: ir.Value | None) -> bool:
    while value is not None and value.const_value is None:
        maker = value.producer()
        if maker is None or maker.op_type != "Identity":
            return False
        value = maker.inputs[0]
    tensor = value.const_value if value is not None else None
    if tensor is None or not 1 < tensor.size <= LARGEST_ZEROS:
        return False
    data = data_of(tensor)
    return data is not None and not data.any()


def is_zero_map(value: ir.Value | None) -> bool:
    """Return whether a constant is zeros throughout: stored ones, generated ones, or what only moves such."""
    open_values, seen = [value], {value}
    while open_values:  # a constant may be joined with itself many times over: each is looked at once
        found = open_values.pop()
        read = _moved(found)
        if not read and not _is_zero_from_the_start(found):
            return False
        open_values += set(read) - seen
        seen.update(read)
    return True


def _moved(value: ir.Value | None) -> list[ir.Value | None]:
    """Return the values whose numbers a value's node only moves; [] for another node, and for none."""
    producer = value.producer() if value is not None else None
    if producer is None or producer.op_type not in _HANDING_ON:
        return []
    return list(producer.inputs if producer.op_type == "Concat" else producer.inputs[:1])


def _is_zero_from_the_start(value: ir.Value | None) -> bool:
    """Return whether zeros are stored as a value, or generated."""
    producer = value.producer() if value is not None else None
    if producer is None or producer.op_type in ("Constant", "Identity"):
        return _is_zero(value)
    if weighs_nothing(producer):
        return len(producer.inputs) < 3 or producer.inputs[2] is None or _is_zero(producer.inputs[2])
    if producer.op_type != "ConstantOfShape":
        return False
    filled = producer.attributes.get("value")
    data = data_of(filled.as_tensor()) if filled is not None else np.zeros(1)
    return data is not None and not data.any()


_HANDING_ON = frozenset(
    {"Cast", "Concat", "Expand", "Flatten", "Gather", "GatherElements", "Reshape", "Resize", "Slice"}
    | {"Squeeze", "Tile", "Transpose", "Unsqueeze"}
)
"""Operators whose outcome is zeros where what they read first is, or all that they join."""


def _is_small(value: ir.Value | None) -> bool:
    """Whether a constant is one of a product with zeros that are stored, or that and numbers beside it."""
    open_values, seen = [value], {value}
    while open_values:  # a constant may be summed with itself many times over: each is looked at once
        found = open_values.pop()
        producer = found.producer() if found is not None else None
        if producer is None or producer.op_type not in ("Mul", "Add", "Sub", "Div"):
            continue
        zeros = zeros_of(producer)
        if zeros is not None and zeros.producer() is None:
            return True
        sources = set(producer.inputs) - seen
        seen |= sources
        open_values += sources
    return False


def _is_read(value: ir.Value, constants: set[ir.Value]) -> bool:
    return value.is_graph_output() or any(
        not constants.issuperset(user.outputs) for user in value.consumers()
    )


def _is_folded(node: ir.Node, constants: set[ir.Value]) -> bool:
    if node.op_type in RANDOM or any(attribute.type in _GRAPHS for attribute in node.attributes.values()):
        return False
    if node.op_type in ("Shape", "Size"):
        return static_shape(node.inputs[0]) is not None
    return all(value is None or value in constants for value in node.inputs)


_GRAPHS = (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS)


def is_generated(value: ir.Value) -> bool:
    """Return whether a constant is computed by nodes: the ONNX holds less of it than the .rknn will.

    Dequantized weights are stored weights, not generated ones, as are turned ones and sums of stored ones.
    """
    producer = value.producer()
    given = ("Constant", "DequantizeLinear", "Identity", "Cast")
    if producer is None or producer.op_type in given or _is_small(value):
        return False
    shape = static_shape(value)
    return shape is None or _held_elements(value) < math.prod(shape)


def _held_elements(value: ir.Value) -> int:
    """Return the elements of all that is stored and that a constant is computed from; 0 of a product of maps
    by zeros, which is a constant all the same."""
    held, seen, open_values = 0, {value}, [value]
    while open_values:
        found = open_values.pop()
        producer = found.producer()
        if producer is None and not found.is_initializer():
            return 0
        if producer is None or producer.op_type == "Constant":
            held += math.prod(static_shape(found) or (0,))
        else:
            sources = {source for source in producer.inputs if source is not None} - seen
            seen |= sources
            open_values += sources
    return held


def channel_elements(value: ir.Value) -> int | None:
    """Return the channels of a constant map that says the same at all pixels of each; None for another one.

    The converter stores one number a channel where it is added or multiplied, whether the ONNX repeats it by
    an Expand, a Tile or in full (rknn-toolkit2 2.5.0, both SoCs and dtypes).
    """
    shape = static_shape(value)
    if shape is None or len(shape) != 4 or math.prod(shape[2:]) < 2:
        return None
    producer = value.producer()
    if producer is not None and weighs_nothing(producer):
        return shape[1]
    if producer is not None and producer.op_type in ("Expand", "Tile") and producer.inputs[0] is not None:
        source = static_shape(producer.inputs[0])
        repeats = source is not None and set(source[-2:]) <= {1}
        return math.prod(source) if repeats and source is not None else None
    array = data_of(value.const_value)
    if array is None:
        return None
    return math.prod(shape[:2]) if bool((array == array[..., :1, :1]).all()) else None


def float_elements(value: ir.Value) -> int:
    """Return the elements of a float constant that are stored; 0 if it is no float, or of unknown shape."""
    if _is_small(value):
        return 0
    shape = static_shape(value)
    dtype = value.const_value.dtype if value.const_value is not None else value.dtype
    return math.prod(shape) if shape is not None and dtype in FLOATS else 0
