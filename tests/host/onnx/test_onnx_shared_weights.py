"""Weights that several layers share: stored once, but for what is cut along the inputs (toolkit 2.5.0)."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx_networks import Network
from rkbench.onnx import predict_size
from rkbench.onnx.prediction import CUT_AGAIN


def pyramid(channels: int, folder: Path) -> Path:
    """Return three maps, each half as large as the one before, through one 3x3 convolution to 64 channels."""
    network, outputs = Network(1, channels, 16, 16), []
    shared = network.weights("w", 64, channels, 3, 3), network.weights("b", 64)
    for level in range(3):
        if level:
            network.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
        read = network.value
        network.add("Conv", *shared, name=f"level_{level}", kernel_shape=[3, 3], pads=[1] * 4).add("Relu")
        outputs.append(network.value)
        network.value = read
    network.value = outputs.pop()
    return network.save(folder / "x.onnx", outputs=tuple(outputs))


@pytest.mark.parametrize(
    ("channels", "target", "dtype", "first", "again"),
    [
        (256, "rk3588", "fp16", 295_168, 295_168),  # 4,608 bytes an output channel, of 3,072
        (256, "rk3588", "int8", 147_968, 512),
        (256, "rk3568", "fp16", 295_168, 256),  # of 6,144
        (512, "rk3588", "fp16", 590_080, 590_080),
        (512, "rk3588", "int8", 295_424, 295_424),
        (512, "rk3568", "fp16", 590_080, 590_080),
    ],
)
def test_shared_weights_that_are_cut_along_their_inputs_are_stored_for_each_layer(
    tmp_path: Path, channels: int, target: str, dtype: str, first: int, again: int
) -> None:
    found = predict_size(pyramid(channels, tmp_path), target, dtype)
    levels = [node for node in found.nodes if node.type == "Conv"]
    assert [level.weight_bytes for level in levels] == [first, again, again]
    assert [level.becomes == CUT_AGAIN for level in levels] == [False, *[again == first] * 2]
    assert [level.name for level in found.bloated] == ["level_1", "level_2"] * (again == first)


@pytest.mark.parametrize(("inputs", "again"), [(2048, 262_144), (1024, 0)])
def test_so_are_those_of_products(tmp_path: Path, inputs: int, again: int) -> None:
    network = Network(1, 15, inputs)
    there, back = network.weights("w", inputs, 64), network.weights("v", 64, inputs)
    for _ in range(2):
        network.add("MatMul", there).add("Relu").add("MatMul", back).add("Relu")
    found = predict_size(network.save(tmp_path / "x.onnx"), "rk3588", "fp16")
    products = [node.weight_bytes for node in found.nodes if node.type == "MatMul"]
    assert products == [inputs * 64 * 2, inputs * 64 * 2, again, 0]
