"""Cut weights that several products share and whose results are cut into heads, and share the parts.

Exact. Queries, keys and values come of one product that Slices or a Split cut, and each piece is reshaped to
heads. The compiler makes a product of each piece and stores its weights for each layer, whatever initializer
the ONNX shares; what the ONNX cuts and shares it stores once. Three layers of 128 columns to 256, toolkit
2.5.0: 11 of 11 conversions smaller, by 10 to 26 %, on rk3588 and rk3568 in fp16 and int8.
"""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from rkbench.language.said import Said, say
from rkbench.onnx.fusion.headed import bias_of, cut_result, is_cut_into_heads
from rkbench.onnx.rewrites.cuts import Cut, cuts_of
from rkbench.onnx.rewrites.proposal import (
    Proposal,
    Rewrite,
    RewriteContext,
    constant_array,
    estimated,
    is_stored,
)
from rkbench.onnx.rewrites.surgery import add_constant, make_node, replace
from rkbench.onnx.values import static_shape
from rkbench.rknn.targets import ELEMENT_BYTES

NAME = "shared_products"


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose parts for the weights of a product, the first of several by the same weights."""
    fits = node.op_type == "MatMul" and context.has_fixed_sizes and _is_headed(node)
    alike = _alike(node, context) if fits else []
    if len(alike) < 2 or alike[0] is not node:
        return None
    cuts = [_cuts(each, context) for each in alike]
    size = math.prod(static_shape(node.inputs[1]) or ()) * ELEMENT_BYTES[context.dtype]
    before, after = size * len(alike), size
    words = _words(len(alike) - 1, len(cuts[0]))
    return estimated(node, NAME, words, before, after, lambda: _apply(alike, cuts, context.graph))


def _words(others: int, parts: int) -> Said:
    return say(
        "its weights and those of {others} more products, cut into {parts} for the heads -> stored once",
        others=others,
        parts=parts,
    )


def _is_headed(node: ir.Node) -> bool:
    weights = node.inputs[1]
    return is_stored(weights) and len(static_shape(weights) or ()) == 2 and is_cut_into_heads(node)


def _alike(node: ir.Node, context: RewriteContext) -> list[ir.Node]:
    """Return the products by the same numbers that are cut at the same places, in their order."""
    places = [(cut.start, cut.count) for cut in _cuts(node, context)]
    if len(places) < 2:
        return []
    found = [each for each in context.graph if each.op_type == "MatMul" and _is_headed(each)]
    return [
        each
        for each in found
        if _holds_same(node.inputs[1], each.inputs[1])
        and [(cut.start, cut.count) for cut in _cuts(each, context)] == places
    ]


def _cuts(node: ir.Node, context: RewriteContext) -> list[Cut]:
    result = cut_result(node)
    axis = len(static_shape(result) or ()) - 1
    return sorted(cuts_of(result, context, axis), key=lambda cut: cut.start)


def _holds_same(one: ir.Value | None, other: ir.Value | None) -> bool:
    if one is other or static_shape(one) != static_shape(other):
        return one is other
    first, second = constant_array(one), constant_array(other)
    return first is not None and second is not None and np.array_equal(first, second)


def _apply(alike: list[ir.Node], cuts: list[list[Cut]], graph: ir.Graph) -> None:
    shared = alike[0].inputs[1]
    weights, biases = constant_array(shared), [_bias(product) for product in alike]
    assert weights is not None and shared is not None
    called = shared.name or "weights"
    for place, cut in enumerate(cuts[0]):
        columns = slice(cut.start, cut.start + cut.count)
        part = add_constant(graph, f"{called}_from{cut.start}", weights[:, columns])
        for product, own, bias in zip(alike, cuts, biases, strict=True):
            _put_part(product, own[place], part, None if bias is None else bias[columns], graph)


def _bias(product: ir.Node) -> np.ndarray | None:
    result = product.outputs[0]
    adder = cut_result(product).producer()
    return constant_array(bias_of(adder, result)) if adder is not None and adder is not product else None


def _put_part(product: ir.Node, cut: Cut, part: ir.Value, bias: np.ndarray | None, graph: ir.Graph) -> None:
    """Put the product by a part of the weights, with its part of the bias, in the place of a piece."""
    shape, name = static_shape(cut.value), f"{product.name or 'product'}_from{cut.start}"
    inputs = [product.inputs[0], part]
    new = [make_node(graph, "MatMul", inputs, name=name, shape=shape, like=cut.value)]
    if bias is not None:
        inputs = [new[0].outputs[0], add_constant(graph, f"{name}_bias", bias)]
        new.append(make_node(graph, "Add", inputs, name=f"{name}_add", shape=shape, like=cut.value))
    replace(graph, [cut.maker], new, cut.value)


REWRITE = Rewrite(
    NAME,
    "weights that several products share and whose results are cut into heads are cut once",
    "three layers, 128 columns to 256: 625,577 -> 492,905 bytes (rk3588 fp16), 688,963 -> 621,699 (int8), "
    "502,505 -> 369,769 (rk3568 fp16), 369,283 -> 301,955 (int8)",
    propose,
)
