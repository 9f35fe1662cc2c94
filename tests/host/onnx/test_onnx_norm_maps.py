"""How many maps a norm over channels takes one after the other, where a network has many small sequences.

Commands and task records of TNT's norms in a file of toolkit 2.5.0 for the rk3568 in int8, in bytes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_networks import Network
from rkbench.onnx import predict_size

OF_PATCHES, OF_ROWS, OF_ONE = 1_090_112, 6_096, 8_112
PATCHES, POSITIONS, CHANNELS = 196, 16, 24


def normed(network: Network, channels: int) -> Network:
    """Append a norm over the last axis, as torch writes it."""
    before = network.value
    network.add("ReduceMean", axes=[-1], name="mean")
    network.value = before
    network.add("Sub", "mean_out", name="apart")
    network.add("Pow", network.constant("two", np.array(2.0, "float32")))
    network.add("ReduceMean", axes=[-1]).add("Add", network.constant("least", np.array(1e-5, "float32")))
    network.add("Sqrt", name="root")
    network.value = "apart_out"
    network.add("Div", "root_out").add("Mul", network.weights("scale", channels))
    return network.add("Add", network.weights("shift", channels))


def patches() -> Network:
    """Return 196 patches of 16 positions that a convolution made, with what tells their positions apart."""
    network = Network(PATCHES, 3, 16, 16).conv(3, CHANNELS, (7, 7), strides=[4, 4])
    network.add("Add", network.weights("places", 1, CHANNELS, 4, 4))
    network.add("Reshape", network.constant("flat", np.array((PATCHES, CHANNELS, POSITIONS))))
    return network.add("Transpose", perm=[0, 2, 1])


def joined(network: Network) -> Network:
    shape = np.array((1, PATCHES, POSITIONS * CHANNELS))
    return network.add("Reshape", network.constant("joined", shape))


def commands_of(network: Network, folder: Path) -> int:
    network.save(folder / "n.onnx")
    nodes = predict_size(folder / "n.onnx", "rk3568", "int8").nodes
    return next(node.command_bytes or 0 for node in nodes if node.name == "mean")


def test_more_sequences_than_16_are_rows_of_one_map(tmp_path: Path) -> None:
    found = commands_of(normed(patches(), CHANNELS).add("Relu"), tmp_path)
    assert found == pytest.approx(OF_ROWS, rel=0.6)


def test_patches_whose_positions_were_joined_are_a_map_each(tmp_path: Path) -> None:
    found = commands_of(normed(joined(patches()), POSITIONS * CHANNELS).add("Relu"), tmp_path)
    assert found == pytest.approx(OF_PATCHES, rel=0.1)


def test_what_a_layer_made_of_them_is_one_map(tmp_path: Path) -> None:
    network = patches()
    before = network.value
    network.add("MatMul", network.weights("w", CHANNELS, CHANNELS)).add("Add", before)
    found = commands_of(normed(joined(network), POSITIONS * CHANNELS).add("Relu"), tmp_path)
    assert found == pytest.approx(OF_ONE, rel=0.6)
