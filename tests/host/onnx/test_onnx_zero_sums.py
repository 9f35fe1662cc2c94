"""Sums with zeros that the ONNX makes, and sums over a last axis: read from files of toolkit 2.5.0."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx_networks import Network
from rkbench.onnx import Prediction, predict_size

TABLE = {"rk3588": 131_072, "rk3568": 4_096}
SIDE = 64


def added(made_by: str, number: float) -> Network:
    """Return a map that a map of one number is added to, as ZoeDepth (made) and ConvTran (picked) do."""
    network = Network(1, 16, SIDE, SIDE).conv(16, 16, (1, 1)).add("Relu")
    source = network.value
    if made_by == "ConstantOfShape":
        network.value = network.constant("shape", np.array((1, 16, SIDE, SIDE)))
        value = onnx.numpy_helper.from_array(np.array([number], "float32"))
        network.add("ConstantOfShape", value=value)
    else:
        network.value = network.constant("stored", np.full((16, SIDE), number, "float32"))
        network.add("Gather", network.constant("places", np.zeros((1, 16, SIDE), "int64")), axis=0)
    network.add("Add", source, name="sum")
    return network.conv(16, 16, (1, 1))


def predicted(network: Network, folder: Path, target: str = "rk3588", dtype: str = "fp16") -> Prediction:
    return predict_size(network.save(folder / "x.onnx"), target, dtype)


@pytest.mark.parametrize("made_by", ["ConstantOfShape", "Gather"])
def test_zeros_that_are_added_are_left_out(made_by: str, tmp_path: Path) -> None:
    """In ZoeDepth 832 kB of them were said to be stored, in ConvTran 262 kB of 242: neither file has any."""
    zeros, ones = (predicted(added(made_by, number), tmp_path) for number in (0, 1))
    assert "sum" not in [node.name for node in zeros.nodes]
    stored = next(node.weight_bytes for node in ones.nodes if node.name == "sum")
    assert stored >= 16 * SIDE * SIDE * 2


@pytest.mark.parametrize("target", ["rk3588", "rk3568"])
@pytest.mark.parametrize(("last", "tables"), [(64, 1), (196, 0), (4, 0)])
def test_a_sum_over_a_last_axis_has_a_table_where_that_is_whole_blocks(
    last: int, tables: int, target: str, tmp_path: Path
) -> None:
    """MobileViTv2 sums 16 to 256 columns; ConViT 196 and iTransformer 4, and their files have no table."""
    network = Network(1, 8, 32, last).add("Relu")
    network.add("ReduceSum", network.constant("axes", np.array([-1])), keepdims=1, name="sum").add("Relu")
    nodes = predicted(network, tmp_path, target, "int8").nodes
    stored = next(node.weight_bytes for node in nodes if node.name == "sum")
    assert stored == pytest.approx(tables * TABLE[target], abs=3_000)


@pytest.mark.parametrize("joined", [True, False])
def test_zeros_that_are_moved_many_times_over_are_each_looked_at_once(joined: bool, tmp_path: Path) -> None:
    """Joined with themselves 40 times they took for ever, turned 1,500 times they were too deep."""
    network = Network(1, 8, SIDE, SIDE)
    network.value = network.constant("zeros", np.zeros((1, 8, SIDE, SIDE), "float32"))
    ends = [network.constant(name, np.array([at])) for name, at in (("a", 0), ("b", SIDE), ("c", 3))]
    for _ in range(40 if joined else 1500):
        if joined:
            network.add("Concat", network.value, axis=3).add("Slice", *ends)
        else:
            network.add("Transpose", perm=[0, 1, 3, 2])
    network.add("Add", "x", name="sum").conv(8, 8, (1, 1))
    assert "sum" not in [node.name for node in predicted(network, tmp_path).nodes]
