"""Numbers in a file beside the ONNX, of every place that may hold some: there, lost, or cut short."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_networks import Network, grouped
from rkbench.errors import ModelError, UsageError
from rkbench.onnx import fix, predict_size
from rkbench.onnx.verify import verify


def shaped() -> Network:
    """Return a network whose sizes, axes, places and factors are short numbers of the file."""
    network = Network(1, 24, 36).add("MatMul", "w").add("Relu")
    network.constant("w", np.ones((36, 36), "float32"))
    network.add("Div", network.constant("root", np.float32(np.sqrt(2)))).add("Erf")
    network.add("Add", network.constant("one", np.float32(1))).add("Mul", "Relu_1_out")
    network.add("ReduceSum", network.constant("axes", np.array([1]))).add("Add", "Relu_1_out")
    network.add("Gather", network.constant("places", np.array([0, 2, 3])), name="first", axis=1)
    network.add("Reshape", network.constant("vector", np.array([1, 108]))).add("MatMul", "w2")
    network.constant("w2", np.ones((108, 16), "float32"))
    head, network.value = network.value, "Add_7_out"
    network.add("Gather", network.constant("others", np.array([1, 3, 5])), name="second", axis=1)
    network.add("Reshape", "vector").add("MatMul", "w2").add("Add", head)
    row = helper.make_node("Constant", [], ["shift"], value=numpy_helper.from_array(np.ones(16, "float32")))
    network.nodes.append(row)
    return network.add("Mul", "shift")


def apart(whole: Path, path: Path) -> Path:
    """Save a network with all of its numbers in `w.bin`, those of Constants too."""
    onnx.save(
        onnx.load(whole),
        path,
        save_as_external_data=True,
        location="w.bin",
        size_threshold=0,
        convert_attribute=True,
    )
    return path


def test_short_numbers_in_another_file_are_read(tmp_path: Path) -> None:
    whole = shaped().save(tmp_path / "whole.onnx")
    found = predict_size(apart(whole, tmp_path / "split.onnx"), "rk3588", "fp16")
    expected = predict_size(whole, "rk3588", "fp16")
    assert (found.file_bytes, found.weight_bytes) == (expected.file_bytes, expected.weight_bytes)


def flat_map(number: float) -> Network:
    """Return a map that another one is added to, which holds one number throughout."""
    network = Network(1, 16, 32, 32).conv(16, 16, (1, 1)).add("Relu")
    whole = network.constant("flat", np.full((1, 16, 32, 32), number, "float32"))
    return network.add("Add", whole).conv(16, 16, (1, 1))


@pytest.mark.parametrize("number", [0, 2])
def test_a_flat_map_in_another_file_is_seen_to_be_flat(tmp_path: Path, number: float) -> None:
    """32,768 bytes were predicted of it, and a layer that adds zeros, where torch writes `.onnx.data`."""
    whole = flat_map(number).save(tmp_path / "whole.onnx")
    found = predict_size(apart(whole, tmp_path / "split.onnx"), "rk3588", "int8")
    expected = predict_size(whole, "rk3588", "int8")
    assert (found.file_bytes, found.weight_bytes) == (expected.file_bytes, expected.weight_bytes)


def test_numbers_of_a_constant_node_go_with_the_network(tmp_path: Path) -> None:
    """The changed network looked for them in the folder that it was tried in: bench fix refused it."""
    network = grouped(96, 4)
    shift = numpy_helper.from_array(np.ones((1, 96, 1, 1), "float32"))
    network.nodes.append(helper.make_node("Constant", [], ["shift"], value=shift))
    path = apart(network.add("Mul", "shift").save(tmp_path / "whole.onnx"), tmp_path / "split.onnx")
    (tmp_path / "out").mkdir()
    report = fix(path, "rk3588", "fp16", tmp_path / "out" / "o.onnx")
    assert report.changes
    assert verify(path, tmp_path / "out" / "o.onnx").is_equal


@pytest.mark.parametrize("left", [0, 64])
def test_short_numbers_in_a_file_that_is_lost_or_cut_short_end_in_an_answer(
    tmp_path: Path, left: int
) -> None:
    path = apart(shaped().save(tmp_path / "whole.onnx"), tmp_path / "split.onnx")
    (tmp_path / "w.bin").write_bytes((tmp_path / "w.bin").read_bytes()[:left])
    found = predict_size(path, "rk3588", "fp16")
    assert "external weights are missing: w.bin; counted by their declared shapes" in found.notes
    assert found.weight_bytes > 36 * 36 * 2


def branched(folder: Path) -> Path:
    """Save a network one of whose branches has its weights in `out.onnx.data`, and nothing else there."""
    network = grouped(96, 4)
    weights = numpy_helper.from_array(np.full((96, 96, 3, 3), 0.01, "float32"), "inner")
    (folder / "out.onnx.data").write_bytes(weights.raw_data)
    onnx.external_data_helper.set_external_data(weights, "out.onnx.data", 0, len(weights.raw_data))
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    wide = helper.make_node("Conv", [network.value, "inner"], ["long"], pads=[1] * 4)
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("long", "short")]
    then = helper.make_graph([wide], "then", [], made[:1], [weights])
    other = helper.make_graph([helper.make_node("Relu", [network.value], ["short"])], "other", [], made[1:])
    above = network.constant("above", np.float32(0))
    network.value = "x"
    network.add("ReduceMean", axes=[0, 1, 2, 3], keepdims=0).add("Greater", above)
    network.add("If", then_branch=then, else_branch=other)
    graph = helper.make_graph(
        network.nodes,
        "branched",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, network.shape)],
        [helper.make_tensor_value_info(network.value, TensorProto.FLOAT, None)],
        network.initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, folder / "in.onnx")
    return folder / "in.onnx"


def test_weights_of_a_branch_go_with_the_network(tmp_path: Path) -> None:
    """They were not seen: the changed network had none, and bench fix ended with what onnxruntime said."""
    path = branched(tmp_path)
    (tmp_path / "out").mkdir()
    report = fix(path, "rk3588", "fp16", tmp_path / "out" / "o.onnx")
    assert report.changes
    assert verify(path, tmp_path / "out" / "o.onnx").is_equal


def test_weights_of_a_branch_are_not_overwritten_and_are_missed(tmp_path: Path) -> None:
    path = branched(tmp_path)
    with pytest.raises(UsageError, match=r"out\.onnx\.data holds the weights of .*in\.onnx"):
        fix(path, "rk3588", "fp16", tmp_path / "out.onnx", force=True)
    (tmp_path / "out.onnx.data").unlink()
    with pytest.raises(ModelError, match=r"its weights are not here: out\.onnx\.data"):
        fix(path, "rk3588", "fp16", tmp_path / "out.onnx")
