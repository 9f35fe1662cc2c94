"""Maps that become one vector in another order than they lie in: a dense kernel of all values to all.

Read from files of toolkit 2.5.0: 60 graphs of one Transpose, Reshape and product each (any order of axes, 128
to 4,096 values, batch 1), MTCNN's two larger networks, CREPE. None: a map, or its vector, that
others read too; a vector that no product by stored weights follows; a batch; weights of one output channel
that would be cut along the inputs.
"""

from __future__ import annotations

from math import prod

import onnx_ir as ir

from rkbench.onnx.convolution import Convolution
from rkbench.onnx.fusion.kinds import PLAIN_ACTIVATIONS
from rkbench.onnx.fusion.patterns import TABLES, users
from rkbench.onnx.fusion.tasks import LINE_BYTES
from rkbench.onnx.values import static_shape
from rkbench.rknn import targets
from rkbench.rknn.targets import ELEMENT_BYTES, Dtype

LARGEST_SIDE = 7
"""Of a map that the kernel reads as it is; a longer one is made one pixel first."""
FLATTENING = ("Reshape", "Flatten")
STEPS = frozenset(
    {*PLAIN_ACTIVATIONS, *TABLES, "Add", "Mul", "Sub", "Div", "BatchNormalization", *FLATTENING}
)
"""What a vector may go through before the product."""
ROW_STEPS = frozenset({*STEPS, "LayerNormalization"}) - {*FLATTENING}
"""What leaves rows of channels as they are."""


def flattened(node: ir.Node, constants: set[ir.Value]) -> Convolution | None:
    """Return the convolution that orders the values of a map which a node makes a vector; None where none
    does."""
    after = static_shape(node.outputs[0]) if node.op_type in FLATTENING else None
    if after is None or len(after) < 2 or after[0] != 1 or max(after) != prod(after):
        return None
    source, axes = ordered_axes(node)
    shape = static_shape(source)
    if source is None or shape is None or list(axes) == sorted(axes):
        return None
    if len(users(source)) != 1 or not _is_multiplied(node.outputs[0], constants):
        return None
    return _kernel(shape, rows=lies_in_rows(source))


def ordered_axes(node: ir.Node) -> tuple[ir.Value | None, tuple[int, ...]]:
    """Return the map of batch 1 that a vector is made of, and its axes as they lie, in the vector's order.

    Channels lie first; those of a product's rows [1, rows, channels] do so too. Axes of one element are left
    out.
    """
    source = node.inputs[0]
    transpose, perm = source.producer() if source is not None else None, tuple[int, ...]()
    if transpose is not None and transpose.op_type == "Transpose" and len(users(source)) == 1:
        source = transpose.inputs[0]
        backwards = range(len(static_shape(source) or ()))[::-1]
        perm = tuple(transpose.attributes.get_ints("perm", backwards))
    shape = static_shape(source)
    if source is None or shape is None or len(shape) not in (3, 4) or shape[0] != 1:
        return None, ()
    lying = (0, 2, 1) if lies_in_rows(source) else range(len(shape))
    places = [list(lying).index(axis) for axis in perm or range(len(shape)) if shape[axis] > 1]
    return source, tuple(places)


def lies_in_rows(value: ir.Value) -> bool:
    """Return whether a value of three axes is what a product by a matrix makes: its channels stand last."""
    shape = static_shape(value)
    maker = value.producer()
    while shape is not None and len(shape) == 3 and maker is not None and maker.op_type in ROW_STEPS:
        before = next((each for each in maker.inputs if static_shape(each) == shape), None)
        maker = before.producer() if before is not None else None
    return shape is not None and len(shape) == 3 and maker is not None and maker.op_type == "MatMul"


def is_dense(order: Convolution, target: str, dtype: Dtype) -> bool:
    """Return whether the compiler writes an order as a kernel: weights of more than that are cut, and this
    is not."""
    known = targets.TARGETS.get(target)
    return order.output_channels * ELEMENT_BYTES[dtype] <= LINE_BYTES[known.npu_cores if known else 1]


def _kernel(shape: tuple[int, ...], *, rows: bool) -> Convolution:
    count, channels = prod(shape), shape[2] if rows else shape[1]
    size = (1, 1, *shape[2:])[-2:]
    if rows or max(size) > LARGEST_SIDE:
        return Convolution(count, count, input_size=(1, 1), output_size=(1, 1), has_bias=False)
    return Convolution(
        count, channels, kernel=size, strides=size, input_size=size, output_size=(1, 1), has_bias=False
    )


def _is_multiplied(value: ir.Value, constants: set[ir.Value]) -> bool:
    """Return whether all that reads a vector is one product by stored weights, after activations and
    scales."""
    while len(found := users(value)) == 1:
        node = found[0]
        if node.op_type in ("Gemm", "MatMul", "Conv"):
            return value is node.inputs[0] and len(node.inputs) > 1 and node.inputs[1] in constants
        known = [each for each in node.inputs if each is not None and each is not value]
        if (
            len(known) != len(node.inputs) - 1
            or node.op_type not in STEPS
            or not constants.issuperset(known)
            or value.is_graph_output()
        ):
            return False
        value = node.outputs[0]
    return False
