"""Sizes that a graph computes from its own shapes are followed to the shapes that depend on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from rkbench.onnx import open_onnx
from rkbench.onnx.values import static_shape


def shape_of(folder: Path, nodes: list[onnx.NodeProto], **numbers: object) -> tuple[int, ...] | None:
    """Return the shape that is read for the value `y` of a graph on 1x16x8x8, with these int64 constants."""
    constants = [numpy_helper.from_array(np.asarray(array, "int64"), name) for name, array in numbers.items()]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 16, 8, 8))
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "graph", [given], [made], constants)
    path = folder / "x.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return static_shape(open_onnx(path).graph.outputs[0])


def test_a_reshape_by_computed_sizes_has_a_shape(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "second"], ["height"]),
        helper.make_node("Mul", ["height", "eight"], ["pixels"]),
        helper.make_node("ScatterND", ["sizes", "last", "pixels"], ["all"]),
        helper.make_node("Reshape", ["x", "all"], ["y"]),
    ]
    found = shape_of(tmp_path, nodes, second=[2], eight=[8], sizes=[1, 16, 0], last=[[2]])
    assert found == (1, 16, 64)


def test_a_fill_beyond_all_sizes_is_not_computed(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ConstantOfShape", ["huge"], ["fill"]),
        helper.make_node("ReduceMax", ["fill"], ["most"], keepdims=0),
        helper.make_node("Add", ["x", "most"], ["y"]),
    ]
    assert shape_of(tmp_path, nodes, huge=[2**19, 2**19]) == (1, 16, 8, 8)
