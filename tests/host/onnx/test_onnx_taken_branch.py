"""An If that is always decided alike: what it hands on is frozen; `bench fix` takes its branch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx_networks import Network
from rkbench.onnx import fix, predict_size
from rkbench.onnx.prediction import Prediction


def branched(path: Path) -> Path:
    """Write a network that squeezes a map by an If if its second size is 1: torch's LocalResponseNorm."""
    network = Network(1, 16, 28, 28).conv(16, 32, (1, 1), name="first")
    squares, rows = network.value, network.constant("rows", np.array([1, 1, 32, 784]))
    network.add("Mul", squares).add("Reshape", rows).add("AveragePool", kernel_shape=[3, 3], pads=[1] * 4)
    pooled = network.value
    network.add("Shape").add("Gather", network.constant("second", np.array(1)), axis=0)
    network.add("Equal", network.constant("single", np.array(1)))
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("thin", "same")]
    axes = helper.make_node("Constant", [], ["axes"], name="axes_node", value_ints=[1])
    thin = helper.make_node("Squeeze", [pooled, "axes"], ["thin"], name="thin_node")
    same = helper.make_node("Identity", [pooled], ["same"], name="same_node")
    taken = helper.make_graph([axes, thin], "thin_graph", [], outputs[:1])
    other = helper.make_graph([same], "same_graph", [], outputs[1:])
    network.add("If", name="asked", then_branch=taken, else_branch=other)
    network.add("Reshape", network.constant("map", np.array([1, 32, 28, 28]))).add("Add", squares, name="sum")
    return network.conv(32, 8, (1, 1)).save(path)


def predicted(path: Path) -> Prediction:
    """Return what is predicted for the rk3588 in fp16."""
    return predict_size(path, "rk3588", "fp16")


def test_the_branch_that_is_taken_stands_in_the_place_of_the_if(tmp_path: Path) -> None:
    report = fix(branched(tmp_path / "x.onnx"), "rk3588", "fp16", tmp_path / "y.onnx")
    kinds = [change.rewrite for change in report.changes]
    assert kinds == ["taken_branch", "spelled_out"], "the Pad of the branch stands before a convolution"
    assert report.verification is not None
    assert report.verification.relative_difference == 0
    kinds = {node.op_type for node in onnx.load(tmp_path / "y.onnx").graph.node}
    assert "Squeeze" in kinds
    assert "If" not in kinds


def test_what_an_if_hands_on_is_predicted_as_a_stored_map(tmp_path: Path) -> None:
    prediction = predicted(branched(tmp_path / "x.onnx"))
    (node,) = (node for node in prediction.nodes if node.name == "sum")
    assert node.weight_bytes == 32 * 28 * 28 * 2
    assert [str(note).split(",")[0] for note in prediction.notes] == ["the converter computes asked once"]


def body(name: str, source: str, *, stored: bool = False) -> onnx.GraphProto:
    """Return a branch whose output is called `out`, stored or computed."""
    made = helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 8, 1, 1] if stored else None)
    if stored:
        weights = helper.make_tensor("out", TensorProto.FLOAT, [1, 8, 1, 1], [0.5] * 8)
        return helper.make_graph([], name, [], [made], [weights])
    return helper.make_graph([helper.make_node("Neg", [source], ["out"])], name, [], [made])


@pytest.mark.parametrize("stored", [False, True])
def test_a_branch_gets_names_that_the_branches_of_others_have_not(tmp_path: Path, *, stored: bool) -> None:
    network = Network(1, 16, 8, 8).conv(16, 8, (1, 1))
    network.extra_inputs.append(helper.make_tensor_value_info("asked", TensorProto.BOOL, ()))
    source = network.value
    network.add("Shape").add("Gather", network.constant("second", np.array(1)))
    network.add("Equal", network.constant("eight", np.array(8)))
    network.add("If", then_branch=body("a", source, stored=stored), else_branch=body("b", source))
    network.add("Add", source)
    source, network.value = network.value, "asked"
    network.add("If", then_branch=body("c", source), else_branch=body("d", source))
    report = fix(network.save(tmp_path / "x.onnx"), "rk3588", "fp16", tmp_path / "y.onnx")
    assert [change.rewrite for change in report.changes] == ["taken_branch"]
    assert report.dropped == ()
