"""Which forms of operators the rules have seen converted: a network of others is predicted, but not trusted.

`forms.tsv` holds the forms of every network of the corpus that is predicted within 15 %
(`tools/corpus/forms.py` writes it). Of 226 real networks, each held against the forms of all networks but
its own family (those that are predicted worse among them), 22 have three new ones or more. Of the five
whose size was missed by more than 30 % when they were judged first they are three: MViTv2, SAM-ViT,
bilinear attention.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import onnx_ir as ir

from rkbench.onnx.shapes import axes_of
from rkbench.onnx.values import static_shape

MANY = 3
"""New forms from which on a network is unfamiliar."""
WIDTH = 2.0
"""The factor by which its size may be off either way."""
PAIRED = frozenset({"Add", "Sub", "Mul", "Div", "Pow", "Min", "Max", "Where"})
REDUCED = frozenset({"ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL2"})
ALONG = frozenset({"Concat", "Split", "Softmax", "Gather", "ArgMax"})


def unfamiliar_forms(graph: ir.Graph, constants: set[ir.Value]) -> tuple[str, ...]:
    """Return the forms of a graph's operators that no network of the corpus has, in order.

    Forms with shapes that the graph does not say are left out: open sizes are asked for elsewhere.
    """
    new = forms_of(graph, constants) - _known()
    return tuple(sorted(form for form in new if "?" not in form))


def forms_of(graph: ir.Graph, constants: set[ir.Value]) -> set[str]:
    """Return the form of every operator that is left when constants are folded."""
    return {_form(node, constants) for node in graph if not constants.issuperset(node.outputs)}


@cache
def _known() -> frozenset[str]:
    return frozenset(files("rkbench.onnx").joinpath("forms.tsv").read_text(encoding="utf-8").splitlines())


def _form(node: ir.Node, constants: set[ir.Value]) -> str:
    """Return operator, number of dimensions, and what decides what the compiler makes of it."""
    shape = static_shape(node.outputs[0])
    return " ".join((node.op_type, _rank(shape), *_details(node, shape, constants))).rstrip()


def _rank(shape: tuple[int, ...] | None) -> str:
    return "?" if shape is None else str(len(shape))


def _details(node: ir.Node, shape: tuple[int, ...] | None, constants: set[ir.Value]) -> list[str]:
    inputs = [value for value in node.inputs if value is not None]
    if node.op_type == "Transpose":
        return ["".join(map(str, node.attributes.get_ints("perm", ())))]
    if node.op_type == "Einsum" and "equation" in node.attributes:
        return [node.attributes["equation"].as_string().replace(" ", "")]
    if node.op_type in REDUCED and inputs:
        before = static_shape(inputs[0])
        axes = () if before is None else sorted(axis % max(len(before), 1) for axis in axes_of(node))
        return [_rank(before), "".join(map(str, axes))]
    if node.op_type in ALONG and shape:
        axis = node.attributes.get_int("axis", 0 if node.op_type in ("Split", "Gather") else -1)
        return [str(axis % len(shape))]
    if node.op_type == "MatMul":
        return [_rank(static_shape(value)) + "c" * (value in constants) for value in inputs]
    if node.op_type in PAIRED:
        return [_spread(static_shape(value), shape) + "c" * (value in constants) for value in inputs]
    if node.op_type in ("Conv", "ConvTranspose") and len(inputs) > 1:
        return _kernel(node, static_shape(inputs[1]))
    return []


def _spread(before: tuple[int, ...] | None, after: tuple[int, ...] | None) -> str:
    """Return which axes of an operand are repeated: 1 for those, a dot for the others."""
    if before is None or after is None:
        return "?"
    padded = (1,) * (len(after) - len(before)) + before
    return "".join("1" if one == 1 and two != 1 else "." for one, two in zip(padded, after, strict=False))


def _kernel(node: ir.Node, weight: tuple[int, ...] | None) -> list[str]:
    if weight is None:
        return ["?"]
    groups = node.attributes.get_int("group", 1)
    kind = "dense" if groups == 1 else ("depthwise" if weight[1] == 1 else "grouped")
    return [f"{len(weight) - 2}d", kind, "dilated" * (max(node.attributes.get_ints("dilations", (1,))) > 1)]
