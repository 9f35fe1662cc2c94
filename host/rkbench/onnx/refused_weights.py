"""What the converter refuses for stored numbers: biases of one value or of scores, products with zeros."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.foreseen import Asked, ForeseenRefusal, name_of
from rkbench.onnx.fusion.patterns import next_node, users
from rkbench.onnx.values import data_of, static_shape
from rkbench.rknn import targets

PARTS_FIRST = frozenset({(2, 0, 3, 1, 4), (3, 0, 4, 1, 2, 5)})
"""Orders that put query, key and value first: of positions, and of positions in blocks."""
STEPS_FIRST = frozenset({(3, 1, 2, 0, 4), (2, 0, 1, 3)})
"""The same where positions come before the batch: with an axis of one before them, and without."""
LONGEST_WAY = 4
BLOCK = 8
LARGEST_VECTOR = 2**16
"""Elements of a bias that is looked at."""
LARGEST_MATRIX = 2**24
"""And of a head's weights."""


def _kept_as_one(node: ir.Node, axes: str) -> ForeseenRefusal:
    return ForeseenRefusal(
        name_of(node),
        f"ValueError: cannot reshape array of size 1 into shape ({axes},1,1)",
        say("the bias of query, key and value has one value throughout: the converter keeps one number"),
        say("trained weights seldom do; change one number of that bias a little, or leave it out if it is 0"),
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
    if transpose is None or shape is None or tuple(order) not in PARTS_FIRST or shape[1] != 1:
        return
    pieces = {user.op_type for user in users(transpose.outputs[0])}
    multiplied = [_is_multiplied(value) for user in users(transpose.outputs[0]) for value in user.outputs]
    if not any(multiplied) or (shape[0] == 2 and not all(multiplied)):
        return
    refuses = shape[0] == 3 or (shape[0] == 2 and (_has_several_cores(asked) or shape[2] == 1))
    axes = f"1,{shape[0]},newaxis" if shape[2] == 1 else f"1,newaxis,{shape[0]}"
    if pieces and pieces <= {"Gather", "Split"} and refuses:
        yield _kept_as_one(node, axes)


def _uniform_bias_of_heads(node: ir.Node, asked: Asked) -> Iterator[ForeseenRefusal]:
    """The same, where each head's query, key and value lie together and are cut apart after."""
    stored = [value for value in node.inputs if _is_uniform(value, asked)] if node.op_type == "Add" else []
    if not stored or not any(_is_stored_product(value, asked) for value in node.inputs):
        return
    if stored[0] is not node.inputs[0] and _is_zero_throughout(stored[0], LARGEST_VECTOR):
        return  # x + 0 is left out; 0 + x is not
    reshape = next_node(node.outputs[0], "Reshape")
    split = next_node(reshape.outputs[0], "Split") if reshape is not None else None
    shape = static_shape(reshape.outputs[0]) if reshape is not None else None
    if split is None or shape is None or len(shape) != 4 or shape[2] == 1:
        return
    if shape[0] != 1 and not _has_several_cores(asked):
        return
    turned = all(user.op_type == "Transpose" for value in split.outputs for user in users(value))
    if split.attributes.get_int("axis", 0) in (3, -1) and turned:
        yield _kept_as_one(node, f"1,newaxis,{shape[3]}")


def _uniform_bias_of_steps(node: ir.Node, asked: Asked) -> Iterator[ForeseenRefusal]:
    """The same of positions that come before the batch, with parts put first before heads are cut.

    12 of 12 conversions of batch 1, 1 and 4 heads, 7 and 150 positions; of batch 2, of random biases, and of
    zeros that are the second operand, and of whole blocks of 8 positions (16 to 256: ABINet, 20 conversions)
    it converts.
    """
    stored = [value for value in node.inputs if _is_uniform(value, asked)] if node.op_type == "Add" else []
    if not stored or not any(_is_stored_product(value, asked) for value in node.inputs):
        return
    if stored[0] is not node.inputs[0] and _is_zero_throughout(stored[0], LARGEST_VECTOR):
        return
    parts, heads = _parts_of_steps(node.outputs[0])
    if heads and (parts == 3 or (parts == 2 and (_has_several_cores(asked) or heads == 1))):
        yield _kept_as_one(node, f"1,{parts},newaxis" if heads == 1 else f"1,newaxis,{parts}")


def _parts_of_steps(value: ir.Value) -> tuple[int, int]:
    """Return into how many parts, and each into how many heads, positions before a batch of 1 are cut."""
    readers = [user for user in users(value) if user.op_type != "Shape"]
    is_reshaped = len(readers) == 1 and readers[0].op_type == "Reshape"
    shape = static_shape(readers[0].outputs[0]) if is_reshaped else None
    if shape is None or len(shape) != 4 or shape[1] != 1 or shape[0] % BLOCK == 0:
        return 0, 0
    found = next_node(readers[0].outputs[0], "Unsqueeze", "Transpose")
    if found is not None and found.op_type == "Unsqueeze":
        found = next_node(found.outputs[0], "Transpose")
    order = tuple(found.attributes.get_ints("perm", ())) if found is not None else ()
    known = found is not None and order in STEPS_FIRST
    return (shape[2], _heads_behind(found.outputs[0])) if known and found is not None else (0, 0)


def _heads_behind(value: ir.Value) -> int:
    """Return into how many heads each part is reshaped, 0 where it is not."""
    squeeze = next_node(value, "Squeeze")
    for part in users(squeeze.outputs[0] if squeeze is not None else value):
        reshape = next_node(part.outputs[0], "Reshape") if part.op_type in ("Gather", "Split") else None
        shape = static_shape(reshape.outputs[0]) if reshape is not None else None
        if shape is not None and len(shape) == 3:
            return shape[1]
    return 0


def _constant_outputs(node: ir.Node, asked: Asked) -> Iterator[ForeseenRefusal]:
    if node is not asked.graph[0]:
        return
    outputs = [value for value in asked.graph.outputs if _is_constant(value, asked)]
    if outputs and len(outputs) == len(asked.graph.outputs):
        names = ", ".join(f"'{value.name}'" for value in outputs)
        yield ForeseenRefusal(
            name_of(node),
            f"ValueError: All outputs [{names}] of model are constants, The model is invalid!",
            say("no output depends on an input: somewhere all is multiplied by zeros, as layers begin"),
            say("load trained weights before the export"),
        )


def _is_constant(value: ir.Value, asked: Asked) -> bool:
    """Return whether an output is stored, or a product with zeros, as a head that nobody trained is."""
    maker = value.producer()
    by_weights = maker is not None and maker.op_type in ("Gemm", "MatMul")
    zeros = by_weights and maker is not None and _is_zero_throughout(maker.inputs[1], LARGEST_MATRIX)
    return value in asked.constants or zeros


def _is_stored_product(value: ir.Value | None, asked: Asked) -> bool:
    maker = value.producer() if value is not None else None
    return maker is not None and maker.op_type == "MatMul" and maker.inputs[1] in asked.constants


def _is_multiplied(value: ir.Value) -> bool:
    """Return whether a value goes into products of maps alone, scaled or turned before at most."""
    for _ in range(LONGEST_WAY):
        found = next_node(value, "Mul", "Div", "Transpose", "Squeeze", "Identity", "MatMul")
        if found is None or found.op_type == "MatMul":
            return found is not None
        value = found.outputs[0]
    return False


def _is_uniform(value: ir.Value | None, asked: Asked) -> bool:
    """Return whether a stored vector holds one number throughout."""
    numbers = _numbers(value, LARGEST_VECTOR) if value in asked.constants else None
    return numbers is not None and bool((numbers == numbers.ravel()[0]).all())


def _numbers(value: ir.Value | None, largest: int) -> np.ndarray | None:
    """Return a stored array of more than one and at most `largest` elements, also behind an Identity."""
    while value is not None and value.const_value is None:
        maker = value.producer()
        if maker is None or maker.op_type != "Identity":
            return None
        value = maker.inputs[0]
    tensor = value.const_value if value is not None else None
    return data_of(tensor) if tensor is not None and 1 < tensor.size <= largest else None


def _has_several_cores(asked: Asked) -> bool:
    known = targets.TARGETS.get(asked.target)
    return known is not None and known.npu_cores > 1


def _is_zero_throughout(value: ir.Value | None, largest: int) -> bool:
    numbers = _numbers(value, largest)
    return numbers is not None and not numbers.any()


def _biased_scores(node: ir.Node, asked: Asked) -> Iterator[ForeseenRefusal]:
    """Attention that adds a stored bias to its scores before it scales them, on several cores.

    24 of 24 conversions, 1 to 8 heads of 8 to 64 channels, 16 to 196 positions, a bias for all, each head or
    each row; a bias that is an input, or that is added behind the scale, converts.
    """
    if node.op_type != "Add" or targets.TARGETS[asked.target].npu_cores == 1:
        return
    scaled = next_node(node.outputs[0], "Mul", "Div")
    softmax = next_node(scaled.outputs[0], "Softmax") if scaled is not None else None
    if softmax is None or next_node(softmax.outputs[0], "MatMul") is None or not _adds_stored(node, asked):
        return
    yield ForeseenRefusal(
        name_of(node),
        "ValueError: output array is read-only",
        say("attention that adds a stored bias to its scores and scales them behind it"),
        say(
            "scale the query and the stored bias instead, so that the bias is added last, or give "
            "rknn.config(disable_rules=['fuse_matmul_softmax_matmul_to_sdpa'])"
        ),
    )


def _adds_stored(node: ir.Node, asked: Asked) -> bool:
    """Return whether an Add gives a product of two maps a stored map."""
    stored = [value for value in node.inputs if value in asked.constants]
    makers = [value.producer() for value in node.inputs if value is not None and value not in stored]
    product = makers[0] if len(stored) == len(makers) == 1 else None
    if product is None or product.op_type != "MatMul" or asked.constants.intersection(product.inputs):
        return False
    return len(static_shape(stored[0]) or ()) > 1


def _attends_stored(node: ir.Node, asked: Asked) -> Iterator[ForeseenRefusal]:
    """Attention whose query, key or value is stored, on several cores: 13 of 13 conversions, 1 to 8 heads.

    Without an axis of heads (1 map of scores of three axes) it converts: ABINet, 5 small graphs.
    """
    if node.op_type != "MatMul" or targets.TARGETS[asked.target].npu_cores == 1:
        return
    softmax = _reached(node, "Softmax", ("Mul", "Div", "Add", "Cast"))
    last = _reached(softmax, "MatMul", ("Cast",)) if softmax is not None else None
    if last is None:
        return
    read = asked.constants.intersection((*node.inputs, *last.inputs))
    scores = static_shape(node.outputs[0]) or ()
    if len(scores) == 3 and scores[0] == 1:
        return
    if read and not asked.constants.issuperset(last.outputs):
        yield ForeseenRefusal(
            name_of(node),
            "ValueError: inputs or 'outputs' must be set!",
            say("attention whose query, key or value is stored, as queries are that a network learns"),
            say("make an input of the network of what is stored, and give it with every call"),
        )


def _reached(node: ir.Node, kind: str, passed: tuple[str, ...]) -> ir.Node | None:
    """Return the node of a kind whose first input comes from another, through such as are passed alone."""
    before, found = node, next_node(node.outputs[0], kind, *passed)
    while found is not None and found.op_type != kind:
        before, found = found, next_node(found.outputs[0], kind, *passed)
    return found if found is not None and found.inputs[0] is before.outputs[0] else None


RULES: tuple[Callable[[ir.Node, Asked], Iterator[ForeseenRefusal]], ...] = (
    _uniform_bias,
    _uniform_bias_of_heads,
    _uniform_bias_of_steps,
    _constant_outputs,
    _biased_scores,
    _attends_stored,
)
