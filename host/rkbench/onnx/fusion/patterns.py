"""Operators that ONNX spells in pieces and the compiler computes at once.

Found by operators, edges and the values of scalar constants. Each function takes the first node of its
pattern and returns what it found, or None.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from rkbench.onnx.values import data_of

TABLES = {
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Elu": "elu",
    "Selu": "selu",
    "Celu": "celu",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "HardSigmoid": "hard sigmoid",
    "HardSwish": "hard swish",
    "Gelu": "gelu",
    "Mish": "mish",
    "Swish": "swish",
}
"""Activations that the NPU takes from a lookup table, as it does for their pieces."""
GATES = {"Sigmoid": "swish", "HardSigmoid": "hard swish"}
"""What the product of x with an activation of x is called."""


@dataclass(frozen=True)
class Pattern:
    """Nodes that are one operator: what goes in, what comes out, which table it needs."""

    name: str
    source: ir.Value
    result: ir.Value
    nodes: tuple[ir.Node, ...]


def users(value: ir.Value | None) -> list[ir.Node]:
    """Return the nodes that read a value."""
    return [] if value is None else list(value.consumers())


def other_input(node: ir.Node, value: ir.Value) -> ir.Value | None:
    """Return the operand of a node of two that is not `value`; None where both are, or neither is."""
    operands = [one for one in node.inputs if one is not value]
    return operands[0] if len(node.inputs) == 2 and len(operands) == 1 else None


def next_node(value: ir.Value, *kinds: str) -> ir.Node | None:
    """Return the one node that reads `value`, if it is of these kinds."""
    found = users(value)
    return found[0] if len(found) == 1 and found[0].op_type in kinds else None


def activation(node: ir.Node) -> Pattern | None:
    """Return the activation by table that begins at `node`: alone, as a gate of its own input, or in
    pieces."""
    for found in (_gate(node), _mish(node), _hard_swish(node), _gelu(node)):
        if found is not None:
            return found
    if node.op_type not in TABLES or node.inputs[0] is None:
        return None
    return Pattern(TABLES[node.op_type], node.inputs[0], node.outputs[0], (node,))


def _gate(node: ir.Node) -> Pattern | None:
    """x * sigmoid(x), x * hard_sigmoid(x)."""
    if node.op_type not in GATES:
        return None
    product = next_node(node.outputs[0], "Mul")
    source = node.inputs[0]
    if product is None or source is None or other_input(product, node.outputs[0]) is not source:
        return None
    return Pattern(GATES[node.op_type], source, product.outputs[0], (node, product))


def _mish(node: ir.Node) -> Pattern | None:
    """x * tanh(softplus(x))."""
    tanh = next_node(node.outputs[0], "Tanh") if node.op_type == "Softplus" else None
    product = next_node(tanh.outputs[0], "Mul") if tanh is not None else None
    source = node.inputs[0] if node.inputs else None
    if (
        tanh is None
        or product is None
        or source is None
        or other_input(product, tanh.outputs[0]) is not source
    ):
        return None
    return Pattern("mish", source, product.outputs[0], (node, tanh, product))


def _hard_swish(node: ir.Node) -> Pattern | None:
    """x * clip(x + 3, 0, 6) / 6, the division before or after the product; without the product a hard
    sigmoid."""
    source = _beside_constant(node, "Add", 3.0)
    clip = next_node(node.outputs[0], "Clip", "Relu6") if source is not None else None
    if source is None or clip is None:
        return None
    nodes, value, product = [node, clip], clip.outputs[0], False
    for _ in range(2):
        found = next_node(value, "Mul", "Div")
        gates = found is not None and found.op_type == "Mul" and other_input(found, value) is source
        if found is None or not (gates or _scales(found, 6.0)):
            break
        product = product or gates
        nodes.append(found)
        value = found.outputs[0]
    if len(nodes) == 2:
        return None
    return Pattern("hard swish" if product else "hard sigmoid", source, value, tuple(nodes))


def _gelu(node: ir.Node) -> Pattern | None:
    """x * (erf(x / sqrt 2) + 1) / 2 or its approximation by tanh, the factors in any order."""
    source = next((value for value in node.inputs if scalar(value) is None), None)
    if node.op_type not in ("Mul", "Div", "Pow") or source is None:
        return None
    halved = scalar(node.inputs[-1]) is not None or scalar(node.inputs[0]) is not None
    starts = [node, *(user for user in users(source) if halved and user is not node)]
    for start in starts:
        found = _gelu_from(start, source)
        if found is not None and node in found.nodes:
            return found
    return None


def _gelu_from(start: ir.Node, source: ir.Value) -> Pattern | None:
    """Return the pattern whose way to the error function, or to tanh, begins at `start`."""
    nodes, value = [start], start.outputs[0]
    for _ in range(LONGEST_WAY):
        found = next_node(value, "Mul", "Add", "Erf", "Tanh")
        if found is None:
            return None
        nodes.append(found)
        value = found.outputs[0]
        if found.op_type in ("Erf", "Tanh"):
            break
        if not _combines(found, value=nodes[-2].outputs[0], source=source):
            return None
    plus = next_node(value, "Add")
    if plus is None or nodes[-1].op_type not in ("Erf", "Tanh"):
        return None
    return _gelu_end([*nodes, plus], source)


LONGEST_WAY = 6


def _combines(node: ir.Node, value: ir.Value, source: ir.Value) -> bool:
    other = other_input(node, value)
    return other is source or scalar(other) is not None


def _gelu_end(nodes: list[ir.Node], source: ir.Value) -> Pattern | None:
    """Follow the products after erf + 1: by x, by x / 2 or by 1 / 2."""
    halves = {user for user in users(source) if user.op_type in ("Mul", "Div") and user not in nodes}
    value, gated = nodes[-1].outputs[0], False
    for _ in range(2):
        found = next_node(value, "Mul", "Div")
        if found is None:
            break
        other = other_input(found, value)
        half = other.producer() if other is not None else None
        gates = other is source or half in halves
        if not gates and scalar(other) is None:
            break
        gated = gated or gates
        nodes = [*nodes, *([half] if half is not None and half in halves else []), found]
        value = found.outputs[0]
    return Pattern("gelu", source, value, tuple(nodes)) if gated else None


def layer_norm(node: ir.Node, constants: set[ir.Value]) -> Pattern | None:
    """Return the normalisation in pieces that begins with the mean at `node`, its scale and shift
    included."""
    source = node.inputs[0] if node.op_type == "ReduceMean" else None
    centred = [user for user in users(node.outputs[0]) if user.op_type == "Sub" and user.inputs[0] is source]
    if source is None or len(centred) != 1:
        return None
    found = _deviation(centred[0])
    if found is None:
        return None
    nodes, quotient = found
    nodes, value = [node, *nodes], quotient.outputs[0]
    for kind in ("Mul", "Add"):
        more = next_node(value, kind)
        other = other_input(more, value) if more is not None else None
        if more is None or other not in constants:
            break
        nodes.append(more)
        value = more.outputs[0]
    return Pattern("norm", source, value, tuple(nodes))


def length_norm(node: ir.Node) -> Pattern | None:
    """Return the division of vectors by their lengths that begins with the lengths at `node`."""
    source = node.inputs[0] if node.op_type == "ReduceL2" else None
    if source is None:
        return None
    nodes, value = [node], node.outputs[0]
    for kinds in (("Clip", "Max", "Add"), ("Expand",)):
        more = next_node(value, *kinds)
        if more is not None:
            nodes.append(more)
            value = more.outputs[0]
    quotient = next_node(value, "Div")
    if quotient is None or quotient.inputs[0] is not source:
        return None
    return Pattern("length", source, quotient.outputs[0], (*nodes, quotient))


def _deviation(centred: ir.Node) -> tuple[list[ir.Node], ir.Node] | None:
    """Return the nodes from x - mean to its quotient by the deviation, and that quotient."""
    value = centred.outputs[0]
    squares = [user for user in users(value) if user.op_type == "Pow" or _squares(user, value)]
    if len(squares) != 1:
        return None
    chain = [centred, squares[0]]
    for kinds in (("ReduceMean",), ("Add",), ("Sqrt",), ("Div", "Reciprocal")):
        step = next_node(chain[-1].outputs[0], *kinds)
        if step is None:
            return None
        chain.append(step)
    if chain[-1].op_type == "Reciprocal":
        product = next_node(chain[-1].outputs[0], "Mul")
        if product is None:
            return None
        chain.append(product)
    return chain, chain[-1]


def _squares(node: ir.Node, value: ir.Value) -> bool:
    return node.op_type == "Mul" and all(one is value for one in node.inputs)


def _beside_constant(node: ir.Node, kind: str, number: float) -> ir.Value | None:
    """Return the other operand of a `kind` by this scalar, else None."""
    if node.op_type != kind or len(node.inputs) != 2:
        return None
    for one, two in (node.inputs, node.inputs[::-1]):
        if one is not None and scalar(two) == number:
            return one
    return None


def _scales(node: ir.Node, divisor: float) -> bool:
    """Return whether a node divides by `divisor`, or multiplies by its inverse."""
    numbers = [scalar(value) for value in node.inputs]
    if node.op_type == "Div":
        return numbers[1] == divisor
    return any(number is not None and abs(number * divisor - 1) < 1e-3 for number in numbers)


def scalar(value: ir.Value | None) -> float | None:
    """Return the number that a constant of one element holds, else None."""
    while value is not None and value.const_value is None:
        maker = value.producer()
        if maker is None or maker.op_type not in ("Constant", "Identity"):
            return None
        if maker.op_type == "Constant":
            attribute = maker.attributes.get("value")
            return _number(attribute.as_tensor()) if attribute is not None else None
        value = maker.inputs[0]
    return _number(value.const_value) if value is not None else None


def _number(tensor: ir.TensorProtocol | None) -> float | None:
    numbers = data_of(tensor) if tensor is not None and tensor.size == 1 else None
    return float(numbers.ravel()[0]) if numbers is not None else None
