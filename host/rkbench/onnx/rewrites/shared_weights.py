"""Store equal weights once: initializers with the same numbers become one that all their users read.

Exact. So do weights that the ONNX fills with one number (ConstantOfShape). The compiler stores each of them
for itself; one that two layers share is stored once, but again for each that reads it through an Identity, as
torch writes a module that is called twice. Not for groups of more than one channel: where they fill whole
blocks, the converter (2.5.0) dies of it (6 of 10). Nor for products whose results are cut into heads: their
weights are stored for each all the same (`shared_products.py`).
"""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.fusion.headed import is_cut_into_heads
from rkbench.onnx.rewrites.proposal import Proposal, Rewrite, RewriteContext, constant_array, estimated
from rkbench.onnx.rewrites.surgery import drop_unused
from rkbench.onnx.values import static_shape
from rkbench.rknn.targets import ELEMENT_BYTES

NAME = "shared_weights"
LEAST_ELEMENTS = 2048
WEIGHED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
"""Operators whose second input is weights."""


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose the earlier twin of a node's weights."""
    shares = node.op_type in WEIGHED and len(node.inputs) > 1
    if not shares or _has_wide_groups(node) or is_cut_into_heads(node):
        return None
    own = node.inputs[1]
    shape = static_shape(own)
    if own is None or shape is None or math.prod(shape) < LEAST_ELEMENTS or own.is_graph_output():
        return None
    twin = _twin(own, context.graph) if own.is_initializer() else _filled_alike(own, context.graph)
    if twin is None:
        return None
    size = math.prod(shape) * ELEMENT_BYTES[context.dtype]
    return estimated(
        node,
        NAME,
        say("its weights are those of {name}: stored once", name=twin.name),
        2 * size,
        size,
        lambda: _apply(own, twin, context.graph),
    )


def _has_wide_groups(node: ir.Node) -> bool:
    """Return whether a convolution has groups of several channels."""
    shape = static_shape(node.inputs[1]) if node.attributes.get_int("group", 1) > 1 else None
    return shape is not None and len(shape) > 1 and shape[1] > 1


def _twin(own: ir.Value, graph: ir.Graph) -> ir.Value | None:
    """Return the first initializer with the same numbers, if that is another one."""
    tensor = own.const_value
    if tensor is None:
        return None
    array: np.ndarray | None = None
    for other in graph.initializers.values():
        if other is own:
            return None
        held = other.const_value
        if held is None or held.dtype != tensor.dtype or held.shape != tensor.shape:
            continue
        array = constant_array(own) if array is None else array
        found = constant_array(other)
        if array is None or found is None:
            return None
        if array.flat[0] == found.flat[0] and np.array_equal(array, found):
            return other
    return None


def _filled_alike(own: ir.Value, graph: ir.Graph) -> ir.Value | None:
    """Return the first weights that a ConstantOfShape fills with the same number in the same shape."""
    maker = own.producer()
    wanted = _filling(maker) if maker is not None else None
    for other in graph if wanted is not None else ():
        if other is maker:
            return None
        if _filling(other) == wanted:
            return other.outputs[0]
    return None


def _filling(node: ir.Node) -> tuple[object, ...] | None:
    """Return the shape, type and number that a ConstantOfShape makes; None for any other node."""
    sizes = constant_array(node.inputs[0]) if node.op_type == "ConstantOfShape" else None
    if sizes is None:
        return None
    given = node.attributes.get("value")
    filled = given.as_tensor().numpy() if given is not None else np.zeros(1, "float32")
    return (*sizes.tolist(), filled.dtype.name, filled.tobytes())


def _apply(own: ir.Value, twin: ir.Value, graph: ir.Graph) -> None:
    ir.convenience.replace_all_uses_with(own, twin)
    drop_unused(graph)


REWRITE = Rewrite(
    NAME,
    "weights that are stored twice are stored once, and shared",
    "two 128x128x3x3: 617,043 -> 321,811 bytes (rk3588 fp16), 326,266 -> 178,490 (int8), "
    "619,155 -> 323,859 (rk3568 fp16), 328,122 -> 180,346 (int8)",
    propose,
)
