"""What no sound ONNX says: sizes beyond any network, data shorter than its shape, groups that do not divide,
nodes without what their operator cannot do without.

Everything after the reading counts with these numbers, some of it in loops.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain

import onnx
import onnx_ir as ir

from rkbench.errors import ModelError
from rkbench.onnx.values import static_shape

LARGEST_DIMENSION = 2**31 - 1
#: Of one tensor. The largest language models have as many in all of theirs together.
LARGEST_ELEMENTS = 2**40
LARGEST_GROUPS = 2**16
_HINT = "check the file, export it again"


def check_sound(name: str, graph: ir.Graph, opset: int) -> None:
    """Raise ModelError, which names node or tensor of the file `name`, for what cannot be counted with."""
    problems = (_tensor_problems(graph), _operator_problems(graph, opset), _node_problems(graph))
    for place, problem in chain.from_iterable(problems):
        raise ModelError(f"{name}: {place} {problem}", hint=_HINT, field=place)


def _tensor_problems(graph: ir.Graph) -> Iterator[tuple[str, str]]:
    for value in graph.inputs:
        yield from _size_problems(f"input {value.name!r}", static_shape(value))
    for node in graph:
        for value in node.outputs:
            yield from _size_problems(f"{value.name!r}", static_shape(value))
    for name, tensor in _stored(graph):
        shape = tuple(tensor.shape.numpy())
        yield from _size_problems(f"constant {name!r}", shape)
        if isinstance(tensor, ir.serde.TensorProtoTensor):
            yield from _data_problems(f"constant {name!r}", tensor, math.prod(shape))


def _stored(graph: ir.Graph) -> Iterator[tuple[str, ir.TensorProtocol]]:
    for value in graph.initializers.values():
        if value.const_value is not None:
            yield value.name or "", value.const_value
    for node in graph:
        for attribute in node.attributes.values():
            if attribute.type == ir.AttributeType.TENSOR and not attribute.is_ref():
                yield node.name or node.op_type, attribute.as_tensor()


def _size_problems(place: str, shape: tuple[int, ...] | None) -> Iterator[tuple[str, str]]:
    if shape is None:
        return
    if any(not 0 <= size <= LARGEST_DIMENSION for size in shape) or math.prod(shape) > LARGEST_ELEMENTS:
        yield place, f"has the shape {'x'.join(map(str, shape))[:80]}, which no network has"


def _data_problems(
    place: str, tensor: ir.serde.TensorProtoTensor, elements: int
) -> Iterator[tuple[str, str]]:
    proto = tensor.raw
    if proto.HasField("raw_data"):
        if len(proto.raw_data) != tensor.nbytes:
            yield place, f"holds {len(proto.raw_data):,} bytes, and its shape needs {tensor.nbytes:,}"
        return
    fields = ("float_data", "int32_data", "string_data", "int64_data", "double_data", "uint64_data")
    held = sum(len(getattr(proto, field)) for field in fields)
    if tensor.dtype.itemsize >= 1 and held < elements:
        yield place, f"holds {held:,} numbers, and its shape needs {elements:,}"


def _operator_problems(graph: ir.Graph, opset: int) -> Iterator[tuple[str, str]]:
    """Yield what operators lack by the ONNX standard, and what they read that nothing makes."""
    for node in graph:
        place = f"{node.op_type} {node.name or '(no name)'}"
        for value in node.inputs:
            if value is not None and value.producer() is None and not _is_given(value):
                yield place, f"reads {(value.name or '')[:80]!r}, which nothing makes"
        if not node.outputs:
            yield place, "makes nothing"
        try:
            schema = onnx.defs.get_schema(node.op_type, opset, node.domain)
        except onnx.defs.SchemaError:
            continue  # an operator, or a version, that this onnx does not know
        single = onnx.defs.OpSchema.FormalParameterOption.Single
        needed = [formal.option == single for formal in schema.inputs]
        absent = any(value is None and wanted for value, wanted in zip(node.inputs, needed, strict=False))
        if absent or len(node.inputs) < schema.min_input:
            read = sum(value is not None for value in node.inputs)
            yield place, f"reads {read} of at least {schema.min_input} inputs"
        yield from ((place, problem) for problem in _attribute_problems(node, schema))


def _is_given(value: ir.Value) -> bool:
    return value.is_graph_input() or value.is_initializer()


def _attribute_problems(node: ir.Node, schema: onnx.defs.OpSchema) -> Iterator[str]:
    for name, wanted in schema.attributes.items():
        found = node.attributes.get(name)
        if found is None and wanted.required:
            yield f"has no attribute {name!r}"
        elif found is not None and found.is_ref():
            yield f"takes its {name!r} from a function, and is in none"
        elif found is not None and found.type.name != (kind := str(wanted.type).rpartition(".")[2]):
            yield f"has {name!r} of the type {found.type.name}, not {kind}"


def _node_problems(graph: ir.Graph) -> Iterator[tuple[str, str]]:
    for node in graph:
        if node.op_type in ("MaxPool", "AveragePool"):
            sides = (*node.attributes.get_ints("kernel_shape", ()), *node.attributes.get_ints("strides", ()))
            if any(side < 1 for side in sides):
                yield (
                    f"{node.op_type} {node.name or node.outputs[0].name!r}",
                    f"has a window or steps of {sides}",
                )
        if node.op_type not in ("Conv", "ConvTranspose") or len(node.inputs) < 2:
            continue
        place = f"{node.op_type} {node.name or node.outputs[0].name!r}"
        shape = static_shape(node.inputs[1])
        groups = node.attributes.get_int("group", 1)
        if not 1 <= groups <= LARGEST_GROUPS or (shape and shape[0] % groups):
            yield place, f"has {groups} groups{f' for {shape[0]} channels' if shape else ''}"
        if shape is None:
            continue
        if not all(shape) or len(shape) < 3:
            yield place, f"has weights of the shape {'x'.join(map(str, shape)) or '() of a single number'}"
        for name in ("strides", "dilations"):
            steps = tuple(node.attributes.get_ints(name, (1,) * (len(shape) - 2)))
            if len(steps) != len(shape) - 2 or not all(1 <= step <= LARGEST_DIMENSION for step in steps):
                yield place, f"has {name} {list(steps)[:8]}, and a kernel of {len(shape) - 2} dimensions"
