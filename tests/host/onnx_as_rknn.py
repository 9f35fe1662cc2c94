"""An .rknn that has an ONNX's inputs and outputs and nothing else, for the stand-in of the converter."""

from __future__ import annotations

import onnx
from rknn_writer import FileSpec, GraphSpec, NodeSpec, TensorSpec, write_model


def rknn_of(model: onnx.ModelProto, target: str) -> bytes:
    """Return the bytes of such a file."""
    weights = {each.name for each in model.graph.initializer}
    inputs = [_tensor(each, "input") for each in model.graph.input if each.name not in weights]
    outputs = [_tensor(each, "output") for each in model.graph.output]
    tensors = (TensorSpec("", kind="null", dtype="", shape=()), *inputs, *outputs)
    fed = tuple(range(1, 1 + len(inputs)))
    made = tuple(range(1 + len(inputs), len(tensors)))
    node = NodeSpec(f"Conv:{outputs[0].name}", "Conv", 2, fed, made)
    document = {"version": "2.5.0", "target_platform": [target]}
    return write_model(FileSpec((GraphSpec(tensors, (node,), fed, made),), target=target, document=document))


def _tensor(value: onnx.ValueInfoProto, kind: str) -> TensorSpec:
    shape = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
    return TensorSpec(value.name, kind, shape=shape, size_bytes=256)
