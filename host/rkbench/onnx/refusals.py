"""What the converter will refuse, foreseen by operator, shape and attributes, and a way around each.

Each rule was found on a network that toolkit 2.5.0 refused and narrowed down on small graphs
(docs/prediction.md lists them); other versions of the toolkit have not been asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import onnx_ir as ir

from rkbench.onnx.fusion.patterns import next_node, users
from rkbench.onnx.values import static_shape
from rkbench.rknn import targets


@dataclass(frozen=True)
class ForeseenRefusal:
    """One reason why the converter will stop."""

    node: str
    sentence: str
    """What the converter will say."""
    reason: str
    """What it stumbles over."""
    way_around: str


@dataclass(frozen=True)
class Asked:
    """What a rule may ask about: the graph, its constants, and what it will be converted for."""

    graph: ir.Graph
    opset: int
    constants: set[ir.Value]
    target: str


def foreseen_refusals(asked: Asked) -> tuple[ForeseenRefusal, ...]:
    """Return what the converter will refuse; the first is what it will say."""
    found = [refusal for rule in RULES for node in asked.graph for refusal in rule(node, asked)]
    return tuple(dict.fromkeys(found))


def _name(node: ir.Node) -> str:
    return node.name or node.outputs[0].name or node.op_type


def _dynamic(node: ir.Node, _asked: Asked) -> Iterator[ForeseenRefusal]:
    if node.op_type == "DynamicQuantizeLinear":
        yield ForeseenRefusal(
            _name(node),
            f"The DynamicQuantizeLinear('{_name(node)}') will cause the graph to be a dynamic graph! "
            "Remove it manually and try again!",
            "it quantizes by what each input holds, which the NPU cannot",
            "convert the float ONNX that it was made of; the converter quantizes itself",
        )


def _dropout(node: ir.Node, asked: Asked) -> Iterator[ForeseenRefusal]:
    if node.op_type == "Dropout" and asked.opset == 9 and len(node.outputs) > 1:
        yield ForeseenRefusal(
            _name(node),
            "Not support 'Dropout' of opset-9!",
            "the Dropout has a second output, its mask, and the ONNX is of opset 9",
            "remove the Dropout, or take the mask from its outputs: it does nothing when a network runs",
        )


def _hard_sigmoid(node: ir.Node, _asked: Asked) -> Iterator[ForeseenRefusal]:
    product = next_node(node.outputs[0], "Mul")
    if node.op_type == "HardSigmoid" and "alpha" not in node.attributes and product is not None:
        yield ForeseenRefusal(
            _name(node),
            "TypeError: ufunc 'isfinite' not supported for the input types",
            "a HardSigmoid without alpha, whose default the converter does not fill in, before a Mul",
            "write the defaults: alpha=0.2, beta=0.5",
        )


def _uniform_bias(node: ir.Node, asked: Asked) -> Iterator[ForeseenRefusal]:
    """The bias of a joint query, key and value that is the same for all: it is kept as one number."""
    if node.op_type != "Add" or not any(_is_uniform(value, asked) for value in node.inputs):
        return
    if not any(_is_stored_product(value, asked) for value in node.inputs):
        return
    reshape = next_node(node.outputs[0], "Reshape")
    transpose = next_node(reshape.outputs[0], "Transpose") if reshape is not None else None
    shape = static_shape(transpose.outputs[0]) if transpose is not None else None
    order = transpose.attributes.get_ints("perm", ()) if transpose is not None else ()
    if transpose is None or shape is None or tuple(order) != (2, 0, 3, 1, 4) or shape[1] != 1:
        return
    pieces = {user.op_type for user in users(transpose.outputs[0])}
    if not all(_is_multiplied(value) for user in users(transpose.outputs[0]) for value in user.outputs):
        return
    known = targets.TARGETS.get(asked.target)
    several = known is not None and known.npu_cores > 1
    refuses = shape[0] == 3 or (shape[0] == 2 and (several or shape[2] == 1))
    axes = f"1,{shape[0]},newaxis" if shape[2] == 1 else f"1,newaxis,{shape[0]}"
    if pieces and pieces <= {"Gather", "Split"} and refuses:
        yield ForeseenRefusal(
            _name(node),
            f"ValueError: cannot reshape array of size 1 into shape ({axes},1,1)",
            "the bias of query, key and value has one value throughout: the converter keeps one number",
            "trained weights seldom do; change one number of that bias a little, or leave it out if it is 0",
        )


def _is_multiplied(value: ir.Value) -> bool:
    """Return whether a value goes into products of maps alone, scaled or turned before at most."""
    for _ in range(LONGEST_WAY):
        found = next_node(value, "Mul", "Div", "Transpose", "Squeeze", "Identity", "MatMul")
        if found is None or found.op_type == "MatMul":
            return found is not None
        value = found.outputs[0]
    return False


LONGEST_WAY = 4


def _is_stored_product(value: ir.Value | None, asked: Asked) -> bool:
    maker = value.producer() if value is not None else None
    return maker is not None and maker.op_type == "MatMul" and maker.inputs[1] in asked.constants


def _is_uniform(value: ir.Value | None, asked: Asked) -> bool:
    """Return whether a stored vector holds one number throughout."""
    while value is not None and value.const_value is None and value in asked.constants:
        maker = value.producer()
        if maker is None or maker.op_type != "Identity":
            return False
        value = maker.inputs[0]
    tensor = value.const_value if value is not None and value in asked.constants else None
    if tensor is None or not 1 < tensor.size <= LARGEST_VECTOR or isinstance(tensor, ir.ExternalTensor):
        return False
    numbers = tensor.numpy()
    return bool((numbers == numbers.ravel()[0]).all())


LARGEST_VECTOR = 2**16
"""Elements of a bias that is looked at."""

RULES: tuple[Callable[[ir.Node, Asked], Iterator[ForeseenRefusal]], ...] = (
    _dynamic,
    _dropout,
    _hard_sigmoid,
    _uniform_bias,
)
