"""Which reason is given for bytes beyond the weights: what is stored in another order is not generated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx_networks import Network
from rkbench.inspection.prediction import predicted_sentence
from rkbench.onnx import predict_size
from rkbench.onnx.convolution import ORDINARY
from rkbench.onnx.prediction import FILLED, FOLDED


def turned(network: Network, name: str, *shape: int) -> str:
    """Give weights that a Transpose turns; return their name."""
    before, network.value = network.value, network.weights(name, *shape)
    found = network.add("Transpose", perm=[3, 2, 1, 0]).value
    network.value = before
    return found


def test_weights_that_nodes_turn_are_stored_ones(tmp_path: Path) -> None:
    network = Network(1, 32, 16, 16)
    weights = turned(network, "w", 3, 3, 32, 64)
    path = network.add("Conv", weights, kernel_shape=[3, 3], name="c").save(tmp_path / "x.onnx")
    (node,) = (node for node in predict_size(path, "rk3588", "fp16").nodes if node.type == "Conv")
    assert (node.becomes, node.needed_bytes) == (ORDINARY, 64 * 32 * 9 * 2)


def test_weights_that_are_written_out_of_one_number_are_generated(tmp_path: Path) -> None:
    network = Network(1, 32, 16, 16)
    before, network.value = network.value, network.constant("shape", np.array([64, 32, 3, 3]))
    weights = network.add("ConstantOfShape").value
    network.value = before
    path = network.add("Conv", weights, kernel_shape=[3, 3], name="c").save(tmp_path / "x.onnx")
    (node,) = (node for node in predict_size(path, "rk3588", "fp16").nodes if node.type == "Conv")
    assert (node.becomes, node.needed_bytes) == (FOLDED, 0)


def test_weights_that_are_computed_of_more_are_told_as_those_that_are_left(tmp_path: Path) -> None:
    network = Network(1, 32, 16, 16)
    before, network.value = network.value, network.weights("w", 32, 32, 3, 3)
    for part in range(5):
        network.add("Add", network.weights(f"w{part}", 32, 32, 3, 3))
    weights, network.value = network.value, before
    path = network.add("Conv", weights, kernel_shape=[3, 3]).save(tmp_path / "x.onnx")
    said = predicted_sentence(path, predict_size(path, "rk3568", "fp16"))
    assert "18.4 kB of weights, computed from 111 kB that the ONNX stores, and" in said


def test_channels_that_are_filled_up_are_named_where_they_are_a_large_part(tmp_path: Path) -> None:
    path = Network(1, 3, 32, 32).conv(64, 3, (9, 9)).save(tmp_path / "x.onnx")
    prediction = predict_size(path, "rk3588", "int8")
    (node,) = (node for node in prediction.nodes if node.type == "Conv")
    assert node.becomes == FILLED
    assert "more than the weights need: channels filled up to whole blocks" in predicted_sentence(
        path, prediction
    )
    whole = Network(1, 32, 32, 32).conv(64, 32, (3, 3)).save(tmp_path / "y.onnx")
    assert {node.becomes for node in predict_size(whole, "rk3588", "int8").nodes} == {ORDINARY}
