"""What the converter will refuse is said before: its own sentence, the node, a way around (toolkit 2.5.0)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx_networks import Network
from rkbench.inspect.prediction import predicted_sentence
from rkbench.onnx import predict_size


def sentences(path: Path, target: str = "rk3588", dtype: str = "fp16") -> list[str]:
    """Return what the converter will say."""
    return [refusal.sentence for refusal in predict_size(path, target, dtype).refusals]


def joint_attention(folder: Path, bias: np.ndarray, parts: int = 3, batch: int = 1) -> Path:
    """Save query, key and value of 2 heads by one product of stored weights."""
    network = Network(batch, 49, 32)
    network.add("MatMul", network.weights("w", 32, parts * 32)).add("Add", network.constant("bias", bias))
    network.add("Reshape", network.constant("five", np.array([batch, 49, parts, 2, 16])))
    network.add("Transpose", perm=[2, 0, 3, 1, 4])
    network.add("Gather", network.constant("which", np.array(0)), axis=0)
    network.add("Transpose", perm=[0, 1, 3, 2]).add("MatMul", network.weights("other", 1, 2, 49, 49))
    return network.save(folder / "x.onnx")


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_a_uniform_bias_of_query_key_and_value_is_refused(tmp_path: Path, value: float) -> None:
    path = joint_attention(tmp_path, np.full(96, value, "float32"))
    expected = "ValueError: cannot reshape array of size 1 into shape (1,newaxis,3,1,1)"
    assert sentences(path) == sentences(path, "rk3568", "int8") == [expected]


def test_key_and_value_alone_are_refused_on_several_cores_only(tmp_path: Path) -> None:
    path = joint_attention(tmp_path, np.zeros(64, "float32"), parts=2)
    assert len(sentences(path, "rk3588", "int8")) == 1
    assert sentences(path, "rk3568") == []


@pytest.mark.parametrize(
    ("batch", "bias"),
    [
        (1, np.linspace(0, 1, 96, dtype="float32")),
        (4, np.zeros(96, "float32")),
    ],
)
def test_other_biases_and_batches_convert(tmp_path: Path, batch: int, bias: np.ndarray) -> None:
    assert sentences(joint_attention(tmp_path, bias, batch=batch)) == []


@pytest.mark.parametrize(("opset", "refused"), [(8, False), (9, True), (10, False)])
def test_a_dropout_with_a_mask_is_refused_in_opset_9(tmp_path: Path, opset: int, refused: bool) -> None:
    path = Network(1, 16, 8, 8).conv(16, 16).add("Dropout").save(tmp_path / "x.onnx")
    model = onnx.load(path)
    model.graph.node[-1].output.append("mask")
    model.opset_import[0].version = opset
    onnx.save(model, path)
    assert sentences(path) == ["Not support 'Dropout' of opset-9!"] * refused


@pytest.mark.parametrize(("attributes", "refused"), [({}, True), ({"alpha": 1 / 6}, False)])
def test_a_hard_sigmoid_without_alpha_before_a_mul_is_refused(
    tmp_path: Path, attributes: dict[str, float], refused: bool
) -> None:
    network = Network(1, 16, 8, 8).conv(16, 16)
    network.add("HardSigmoid", **attributes).add("Mul", network.constant("two", np.float32(2).reshape(1)))
    found = sentences(network.save(tmp_path / "x.onnx"))
    assert found == ["TypeError: ufunc 'isfinite' not supported for the input types"] * refused


def test_the_first_sentence_says_that_it_will_not_convert_and_the_way_around(tmp_path: Path) -> None:
    path = joint_attention(tmp_path, np.zeros(96, "float32"))
    said = predicted_sentence(path, predict_size(path, "rk3588", "fp16"))
    assert said.startswith("x.onnx will not convert for rk3588 fp16 (foreseen): the converter will say")
    assert "Way around: trained weights seldom do; change one number" in said
