"""Shapes that depend on numbers which the graph computes: they are computed, node by node, and followed.

Exporters write the sizes of a Reshape as Shape, Gather, Mul, Concat; the shape inference of ONNX gives up on
many. Nothing of the graph changes but the shapes of values that had none.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from onnx import shape_inference
from onnx.reference import ReferenceEvaluator

from rkbench.onnx.values import data_of, static_shape

LARGEST_NUMBERS = 4096
"""Elements of a value that is computed: sizes and indices are short."""
COMPUTED = frozenset(
    {
        *("Gather", "Concat", "Unsqueeze", "Squeeze", "Cast", "Add", "Sub", "Mul", "Div", "Mod", "Slice"),
        *("ConstantOfShape", "Reshape", "Identity", "Floor", "Ceil", "Neg", "Equal", "Where", "Expand"),
        *("Min", "Max", "Transpose", "Split", "Not", "And", "Or", "Less", "Greater", "Sqrt", "Pow", "Abs"),
        *("Range", "ReduceProd", "ScatterND", "Clip"),
    }
)
Numbers = dict[ir.Value, "np.ndarray[Any, Any]"]


def complete_shapes(model: ir.Model) -> Numbers:
    """Give a shape to every value whose shape follows from small constants; return the short values known."""
    numbers: Numbers = {}
    for value in model.graph.initializers.values():
        _remember(value, value.const_value, numbers)
    opsets = dict(model.opset_imports)
    for node in model.graph:
        if node.domain not in ("", "ai.onnx") or _compute(node, numbers, opsets):
            continue
        if any(static_shape(value) is None for value in node.outputs):
            _infer(node, numbers, opsets)
    return numbers


def _remember(value: ir.Value, tensor: ir.TensorProtocol | None, numbers: Numbers) -> None:
    if tensor is None or tensor.size > LARGEST_NUMBERS or tensor.dtype == ir.DataType.STRING:
        return
    if (data := data_of(tensor)) is not None:
        numbers[value] = data


def _compute(node: ir.Node, numbers: Numbers, opsets: dict[str, int]) -> bool:
    """Compute a node's outputs if all that it needs is known; return whether that was done."""
    if node.op_type == "Shape":
        shape = static_shape(node.inputs[0])
        if shape is None:
            return False
        start, end = node.attributes.get_int("start", 0), node.attributes.get_int("end", len(shape))
        results = [np.array(shape[start:end], "int64")]
    elif (outside := _outside(node)) is not None:
        node.outputs[0].type, node.outputs[0].shape = ir.TensorType(outside.dtype), outside.shape
        _remember(node.outputs[0], outside, numbers)
        return True
    elif node.op_type == "Constant" or node.op_type in COMPUTED:
        given = [numbers.get(value) if value is not None else None for value in node.inputs]
        missing = any(value is not None and value not in numbers for value in node.inputs)
        if missing or not _is_small(node):
            return False
        results = run_node(node, given, opsets)
    else:
        return False
    for value, result in zip(node.outputs, results, strict=False):
        numbers[value] = np.asarray(result)
        if static_shape(value) is None:
            value.shape = ir.Shape(numbers[value].shape)
    return bool(results)


def _outside(node: ir.Node) -> ir.ExternalTensor | None:
    """Return the tensor of a Constant whose numbers are in another file: onnx would look for that file in the
    folder that one works in."""
    tensor = ir.convenience.get_const_tensor(node.outputs[0]) if node.op_type == "Constant" else None
    return tensor if isinstance(tensor, ir.ExternalTensor) else None


def _is_small(node: ir.Node) -> bool:
    """Return whether a node's results are short, as far as can be told before they are computed."""
    attribute = node.attributes.get("value") if node.op_type == "Constant" else None
    if attribute is not None and attribute.type == ir.AttributeType.TENSOR:
        return attribute.as_tensor().size <= LARGEST_NUMBERS
    shapes = [static_shape(value) for value in node.outputs]
    return all(shape is None or int(np.prod(shape)) <= LARGEST_NUMBERS for shape in shapes)


def run_node(node: ir.Node, given: list[Any], opsets: dict[str, int]) -> list[Any]:
    """Return what a node makes of its inputs' arrays, None for one it has not; [] where it cannot be told."""
    proto = ir.serde.serialize_node(node)
    feeds = {
        name: array for name, array in zip(proto.input, given, strict=True) if name and array is not None
    }
    if node.op_type in ("ConstantOfShape", "Expand", "Range") and not _fills_little(node.op_type, given):
        return []
    try:
        with np.errstate(all="ignore"):  # a mask may hold infinities: no line of numpy's for the user
            return list(ReferenceEvaluator(proto, opsets=opsets).run(None, feeds))
    except (ValueError, TypeError, IndexError, RuntimeError, AttributeError, ZeroDivisionError):
        return []  # no number that a shape could follow from; the size stays open


def _fills_little(op_type: str, given: list[Any]) -> bool:
    if op_type == "Range":
        start, limit, step = (float(np.asarray(number).ravel()[0]) for number in given)
        return step != 0 and abs((limit - start) / step) <= LARGEST_NUMBERS
    sizes = np.abs(np.asarray(given[-1], "float64"))
    return bool(np.prod(np.maximum(sizes, 1)) <= LARGEST_NUMBERS)


def _infer(node: ir.Node, numbers: Numbers, opsets: dict[str, int]) -> None:
    """Infer the shapes of one node's outputs from those of its inputs and from known numbers."""
    inputs = [value for value in node.inputs if value is not None]
    types = {value.name or "": kind for value in inputs if (kind := _type(value)) is not None}
    version = opsets.get(node.domain, opsets.get("", 1))
    if any((value.name or "") not in types for value in inputs) or not onnx.defs.has(
        node.op_type, node.domain
    ):
        return
    known = [value for value in inputs if value in numbers]
    data = {value.name or "": onnx.numpy_helper.from_array(numbers[value]) for value in known}
    imports = [onnx.helper.make_opsetid(domain, number) for domain, number in opsets.items()]
    try:
        schema = onnx.defs.get_schema(node.op_type, version, node.domain)
        proto = ir.serde.serialize_node(node)
        found = shape_inference.infer_node_outputs(schema, proto, types, data, opset_imports=imports)
    except (*_NOT_INFERRED, ValueError, RuntimeError):
        return  # what ONNX cannot infer stays open, as before
    for value in node.outputs:
        kind = found.get(value.name or "")
        if kind is not None and kind.HasField("tensor_type") and kind.tensor_type.HasField("shape"):
            dims = [
                size.dim_value if size.HasField("dim_value") else None for size in kind.tensor_type.shape.dim
            ]
            value.shape = ir.Shape(dims)
            value.type = value.type or ir.TensorType(ir.DataType(kind.tensor_type.elem_type))


_NOT_INFERRED = (shape_inference.InferenceError, onnx.defs.SchemaError, onnx.checker.ValidationError)


def _type(value: ir.Value) -> onnx.TypeProto | None:
    shape = static_shape(value)
    dtype = value.const_value.dtype if value.const_value is not None else value.dtype
    if dtype is None:
        return None
    dims = shape if shape is not None else None
    return onnx.helper.make_tensor_type_proto(int(dtype), dims)
