"""Parts of a network: closed, with all that later layers read."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import helper
from onnx_networks import Network
from rkbench.bisect.cuts import CuttableOnnx, Part


@pytest.fixture
def residual(tmp_path: Path) -> CuttableOnnx:
    net = Network(1, 4, 8, 8).conv(4, 4, name="a")
    net.conv(4, 4, name="b").add("Relu", name="c").conv(4, 4, name="d").add("Add", "a_out", name="e")
    return CuttableOnnx(net.save(tmp_path / "net.onnx"))


def test_layers_stand_in_the_order_in_which_they_run(residual: CuttableOnnx) -> None:
    assert [(layer.name, layer.op) for layer in residual.layers] == [
        ("a", "Conv"),
        ("b", "Conv"),
        ("c", "Relu"),
        ("d", "Conv"),
        ("e", "Add"),
    ]


def test_what_a_branch_will_read_comes_out_of_every_part_before_it(residual: CuttableOnnx) -> None:
    assert residual.first(1) == Part(("x",), ("a_out",))
    assert residual.first(3) == Part(("x",), ("a_out", "c_out"))
    assert residual.first(5) == Part(("x",), ("e_out",)) == residual.whole()


def test_a_layer_alone_reads_what_others_made(residual: CuttableOnnx) -> None:
    last = residual.layers[-1]
    assert residual.around(last, 1) == Part(("a_out", "d_out"), ("e_out",))
    assert residual.inputs_of(last) == {"a_out", "d_out"}
    assert residual.around(last, 2) == Part(("c_out", "x"), ("e_out",))
    assert residual.count(residual.around(last, 2)) == 3


def test_a_part_is_a_sound_onnx_of_its_own(residual: CuttableOnnx, tmp_path: Path) -> None:
    written = residual.write(residual.first(2), tmp_path / "part.onnx")
    onnx.checker.check_model(written, full_check=True)
    graph = onnx.load(written).graph
    assert [each.name for each in graph.output] == ["a_out", "b_out"]
    assert [dim.dim_value for dim in graph.output[1].type.tensor_type.shape.dim] == [1, 4, 8, 8]


def test_shapes_and_constants_are_no_layers(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["a_out"], name="a"),
        helper.make_node("Shape", ["x"], ["shape"], name="shape"),
        helper.make_node("Reshape", ["a_out", "shape"], ["same_out"], name="same"),
        helper.make_node("Relu", ["same_out"], ["end_out"], name="end"),
    ]
    ends = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", 4, 8, 8])
        for name in ("x", "end_out")
    ]
    graph = helper.make_graph(nodes, "tested", ends[:1], ends[1:])
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    network = CuttableOnnx(path, {"x": (2, 4, 8, 8)})
    assert [layer.name for layer in network.layers] == ["a", "same", "end"]
    assert network.around(network.layers[1], 1) == Part(("a_out", "x"), ("same_out",))
