"""What the converter will refuse, foreseen by operator, shape and attributes, and a way around each.

Each rule was found on a network that toolkit 2.5.0 refused and narrowed down on small graphs
(docs/prediction.md lists them); other versions of the toolkit have not been asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.foreseen import Asked, ForeseenRefusal, name_of
from rkbench.onnx.fusion.patterns import next_node, users
from rkbench.onnx.refused_files import RULES as FILE_RULES
from rkbench.onnx.refused_kernels import RULES as KERNEL_RULES
from rkbench.onnx.refused_numbers import RULES as NUMBER_RULES
from rkbench.onnx.refused_operators import RULES as OPERATOR_RULES
from rkbench.onnx.refused_weights import RULES as WEIGHT_RULES
from rkbench.onnx.values import static_shape


def foreseen_refusals(asked: Asked) -> tuple[ForeseenRefusal, ...]:
    """Return what the converter will refuse; the first is what it will say."""
    found = [refusal for rule in RULES for node in asked.graph for refusal in rule(node, asked)]
    return tuple(dict.fromkeys(found))


def _dynamic(node: ir.Node, _asked: Asked) -> Iterator[ForeseenRefusal]:
    if node.op_type == "DynamicQuantizeLinear":
        yield ForeseenRefusal(
            name_of(node),
            f"The DynamicQuantizeLinear('{name_of(node)}') will cause the graph to be a dynamic graph! "
            "Remove it manually and try again!",
            say("it quantizes by what each input holds, which the NPU cannot"),
            say("convert the float ONNX that it was made of; the converter quantizes itself"),
        )


def _dropout(node: ir.Node, asked: Asked) -> Iterator[ForeseenRefusal]:
    if node.op_type == "Dropout" and asked.opset == 9 and len(node.outputs) > 1:
        yield ForeseenRefusal(
            name_of(node),
            "Not support 'Dropout' of opset-9!",
            say("the Dropout has a second output, its mask, and the ONNX is of opset 9"),
            say("remove the Dropout, or take the mask from its outputs: it does nothing when a network runs"),
        )


def _hard_sigmoid(node: ir.Node, _asked: Asked) -> Iterator[ForeseenRefusal]:
    product = next_node(node.outputs[0], "Mul")
    if node.op_type == "HardSigmoid" and "alpha" not in node.attributes and product is not None:
        yield ForeseenRefusal(
            name_of(node),
            "TypeError: ufunc 'isfinite' not supported for the input types",
            say("a HardSigmoid without alpha, whose default the converter does not fill in, before a Mul"),
            say("write the defaults: alpha=0.2, beta=0.5"),
        )


def _training_norm(node: ir.Node, _asked: Asked) -> Iterator[ForeseenRefusal]:
    if node.op_type == "BatchNormalization" and len(node.outputs) > 1:
        yield ForeseenRefusal(
            name_of(node),
            "Not support output mean/var/saved_mean/saved_var in 'BatchNormalization'(opset-9)!",
            say(
                "a BatchNormalization with more outputs than one normalizes by what it is given, as in "
                "training: weights that are standardized are exported so"
            ),
            say("export the network in evaluation mode, or with its standardized weights folded"),
        )


def _shape_of_a_number(node: ir.Node, asked: Asked) -> Iterator[ForeseenRefusal]:
    """A number that is stored is folded with its shape (ZoeDepth's relative positions)."""
    of_number = node.op_type == "Shape" and static_shape(node.inputs[0]) == ()
    if of_number and node.inputs[0] not in asked.constants:
        name = node.outputs[0].name
        yield ForeseenRefusal(
            name_of(node),
            f"ValueError: The shape of '{name}' is (0,), it is abnormal!",
            say("it asks for the shape of a single number, which has none, as a lookup of places does"),
            say("leave out what finds the best places in the maps (export the maps before it)"),
        )


def _quantized(node: ir.Node, asked: Asked) -> Iterator[ForeseenRefusal]:
    if asked.quantizes_again and node is asked.graph[0]:
        yield ForeseenRefusal(
            name_of(node),
            "If a quantized model has been import, please set do_quantization = False.",
            say("the graph is quantized already (QuantizeLinear, DequantizeLinear)"),
            say("build with do_quantization=False: it stays INT8; or convert the float ONNX"),
        )


def _summed_products(node: ir.Node, asked: Asked) -> Iterator[ForeseenRefusal]:
    """Two products by stored weights of one map, added: the converter joins them and finds no bias."""
    if node.op_type != "Add" or len(node.inputs) != 2:
        return
    sources = [_multiplied_source(value, asked) for value in node.inputs]
    if sources[0] is not None and sources[0] is sources[1]:
        yield ForeseenRefusal(
            name_of(node),
            "TypeError: 'NoneType' object is unsliceable",
            say("it adds two matrix products of the same input, as heads that are averaged do"),
            say(
                "make one product of them: add weights and biases (a BatchNormalization before them goes "
                "into those first)"
            ),
        )


def _multiplied_source(value: ir.Value | None, asked: Asked) -> ir.Value | None:
    """Return what a product by stored weights is taken of, norms by constants and its bias apart."""
    maker = value.producer() if value is not None else None
    if maker is not None and maker.op_type == "Add":
        parts = [one for one in maker.inputs if one not in asked.constants]
        maker = parts[0].producer() if len(parts) == 1 and parts[0] is not None else None
    if maker is None or maker.op_type not in ("Gemm", "MatMul") or maker.inputs[1] not in asked.constants:
        return None
    source = maker.inputs[0]
    before = source.producer() if source is not None else None
    if before is not None and before.op_type == "BatchNormalization":
        return before.inputs[0]
    return source


def _turned_copies(node: ir.Node, _asked: Asked) -> Iterator[ForeseenRefusal]:
    """A map of five dimensions that is repeated and turned, as relative positions over two axes are."""
    shape = static_shape(node.outputs[0]) if node.op_type == "Expand" else None
    turned = next_node(node.outputs[0], "Transpose") if shape is not None and len(shape) == 5 else None
    if turned is not None and tuple(turned.attributes.get_ints("perm", ())) == (0, 3, 1, 4, 2):
        yield ForeseenRefusal(
            name_of(turned),
            "ValueError: 3 is not in list",
            say("the Transpose (0, 3, 1, 4, 2) of a map that an Expand repeats; the number may be another"),
            say("leave the Expand out: an Add repeats such a map by itself"),
        )


def split_expectation(node: ir.Node, asked: Asked) -> Iterator[ForeseenRefusal]:
    """The expected distance of each side of a box (a 1x1 to one channel over bins), cut in two.

    Where a map of positions in two axes is what the bins were reshaped of, the converter cuts the 1x1 instead
    of its output, and that has one channel alone.
    """
    weight = static_shape(node.inputs[1]) if node.op_type == "Conv" and len(node.inputs) > 1 else None
    if weight is None or weight[0] != 1 or max(weight[2:]) > 1 or node.inputs[1] not in asked.constants:
        return
    reshape = next_node(node.outputs[0], "Reshape")
    shape = static_shape(reshape.outputs[0]) if reshape is not None else None
    bins = _before(node.inputs[0], "Softmax", "Transpose")
    if reshape is None or shape is None or len(shape) != 3 or bins is None or not _is_of_map(bins):
        return
    cuts = [user.op_type for user in users(reshape.outputs[0]) if user.op_type != "Shape"]
    if cuts == ["Split"] or (len(cuts) > 1 and set(cuts) == {"Slice"}):
        yield ForeseenRefusal(
            name_of(node),
            "IndexError: list index out of range",
            say(
                "the decoding of boxes: it cuts what a convolution to one channel makes after a Reshape, "
                "and the converter cuts the convolution"
            ),
            say(
                "leave the decoding out (export the maps before it, as the vendor does), or Split by "
                "axis 2 first and Reshape each part"
            ),
        )


def _before(value: ir.Value | None, *kinds: str) -> ir.Value | None:
    """Return what a Reshape reads that is followed by nodes of these kinds up to `value`, else None."""
    maker = value.producer() if value is not None else None
    while maker is not None and maker.op_type in kinds:
        value = maker.inputs[0]
        maker = value.producer() if value is not None else None
    return maker.inputs[0] if maker is not None and maker.op_type == "Reshape" else None


def _is_of_map(value: ir.Value | None, *, joined: bool = False) -> bool:
    """Return whether a value is a map of four dimensions in another shape, or such maps joined.

    What a convolution or a Split makes the converter reshapes itself.
    """
    maker = value.producer() if value is not None else None
    while maker is not None and maker.op_type in ("Reshape", "Identity"):
        value = maker.inputs[0]
        maker = value.producer() if value is not None else None
    if maker is not None and maker.op_type == "Concat" and not joined:
        return any(_is_of_map(one, joined=True) for one in maker.inputs)
    if maker is not None and maker.op_type in ("Conv", "Split") and not joined:
        return False
    shape = static_shape(value)
    return shape is not None and (len(shape) == 4 or maker is not None)


def _branches(node: ir.Node, asked: Asked) -> Iterator[ForeseenRefusal]:
    """An If that depends on an input or a stored answer, or whose branches read weights that nobody else
    reads."""
    if node.op_type != "If":
        return
    answer = node.inputs[0]
    if answer is not None and ir.convenience.get_const_tensor(answer) is not None:
        yield ForeseenRefusal(
            name_of(node),
            f"KeyError: '{answer.name}'",
            say("which branch is taken is stored in the file, and the converter loses that"),
            say("fold the If away before: onnxsim, or export the network with the branch that you need"),
        )
        return
    if node.inputs[0] not in asked.constants:
        yield ForeseenRefusal(
            name_of(node),
            f"The If('{name_of(node)}') will cause the graph to be a dynamic graph! "
            "Remove it manually and try again!",
            say("which branch is taken depends on the input"),
            say("export the network with the branch that you need"),
        )
        return
    lost = next((value for value in _read_inside(node) if _is_read_inside_alone(value, asked)), None)
    if lost is not None:
        yield ForeseenRefusal(
            name_of(node),
            "InvalidGraph: [ONNXRuntimeError] : 10 : INVALID_GRAPH : This is an invalid model. ... "
            f"Nodes in a graph must be topologically sorted, however input '{lost.name}' of node ...",
            say(
                "the weight {lost} is read inside a branch alone, and the converter drops it", lost=lost.name
            ),
            say("fold the If away before: onnxsim, or export the network with a fixed sample rate or shape"),
        )


def _read_inside(node: ir.Node) -> Iterator[ir.Value]:
    """Yield what the branches of an If read."""
    for attribute in node.attributes.values():
        if attribute.type == ir.AttributeType.GRAPH:
            for inner in attribute.as_graph():
                yield from (value for value in inner.inputs if value is not None)


def _is_read_inside_alone(value: ir.Value, asked: Asked) -> bool:
    stored = asked.graph.initializers.get(value.name or "") is value
    return stored and all(use.node.graph is not asked.graph for use in value.uses())


RULES: tuple[Callable[[ir.Node, Asked], Iterator[ForeseenRefusal]], ...] = (
    *FILE_RULES,
    *NUMBER_RULES,
    *WEIGHT_RULES,
    *KERNEL_RULES,
    *OPERATOR_RULES,
    _dynamic,
    _dropout,
    _hard_sigmoid,
    _training_norm,
    _shape_of_a_number,
    _quantized,
    _summed_products,
    _turned_copies,
    split_expectation,
    _branches,
)
