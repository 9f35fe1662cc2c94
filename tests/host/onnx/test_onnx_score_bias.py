"""Biases of attention over windows: the file holds them once for every map of the scores.

Sizes of constants in files of toolkit 2.5.0, in bytes: GCViT-XXTiny (fp16) and Swin (int8) for the rk3588.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_networks import Network
from rkbench.onnx import predict_size
from rkbench.onnx.prediction import TILED, PredictedNode

WINDOWS, HEADS, POSITIONS = 64, 2, 49
SCORES = (WINDOWS, HEADS, POSITIONS, POSITIONS)
STORED = {"fp16": 746_304, "int8": 425_984}


def scores() -> Network:
    network = Network(WINDOWS, HEADS, 32, POSITIONS).add("Transpose", perm=[0, 1, 3, 2])
    return network.add("MatMul", "x")


def biased(network: Network, *shape: int) -> Network:
    return network.add("Add", network.weights("bias", *shape), name="biased")


def predicted(network: Network, folder: Path, target: str, dtype: str) -> PredictedNode:
    network.save(folder / "n.onnx")
    nodes = predict_size(folder / "n.onnx", target, dtype).nodes
    return next(node for node in nodes if node.name == "biased")


@pytest.mark.parametrize("dtype", ["fp16", "int8"])
def test_a_bias_that_broadcasts_over_windows_is_stored_for_each(tmp_path: Path, dtype: str) -> None:
    network = scores()
    network.add("Mul", network.constant("scale", np.array(0.2, "float32")))
    node = predicted(
        biased(network, 1, HEADS, POSITIONS, POSITIONS).add("Softmax"), tmp_path, "rk3588", dtype
    )
    assert node.becomes == TILED
    assert node.weight_bytes == pytest.approx(STORED[dtype], rel=0.002)


def test_a_mask_of_shifted_windows_may_stand_between_the_bias_and_the_softmax(tmp_path: Path) -> None:
    network = biased(scores(), 1, HEADS, POSITIONS, POSITIONS)
    network.add("Reshape", network.constant("apart", np.array((1, *SCORES))))
    network.add("Add", network.weights("mask", 1, WINDOWS, 1, POSITIONS, POSITIONS))
    network.add("Reshape", network.constant("together", np.array(SCORES))).add("Softmax")
    node = predicted(network, tmp_path, "rk3588", "int8")
    assert node.weight_bytes == pytest.approx(STORED["int8"], rel=0.002)


@pytest.mark.parametrize(
    ("target", "factors", "maps", "behind", "stored"),
    [
        ("rk3568", 1, 1, "Softmax", 19_232),  # 2 heads fill a block of 4 there, 2,401 scores are 2,404
        ("rk3588", HEADS, 1, "Softmax", 9_604),  # a factor for each head is a layer of its own (SwinV2-CR)
        ("rk3588", 1, WINDOWS, "Softmax", 614_656),  # nothing broadcasts
        ("rk3588", 1, 1, "Relu", 38_464),
    ],
)
def test_any_other_sum_is_stored_once(
    tmp_path: Path, target: str, factors: int, maps: int, behind: str, stored: int
) -> None:
    network = scores()
    network.add("Mul", network.weights("scale", 1, factors, 1, 1))
    network = biased(network, maps, HEADS, POSITIONS, POSITIONS).add(behind)
    node = predicted(network, tmp_path, target, "fp16")
    assert node.needed_bytes == 2 * maps * HEADS * POSITIONS**2
    assert node.weight_bytes == stored
