"""Concats of Concats, as dense connections make them: all parts get whole blocks of channels together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx_networks import Network
from rkbench.onnx import fix
from rkbench.onnx.rewrites import chosen


def dense(growth: int, layers: int, begins: int = 32) -> Network:
    """Return layers that each read all maps before them, and a norm of all of them."""
    network = Network(1, 16, 16, 16).conv(16, begins, name="first").add("Relu")
    for place in range(layers):
        joined = network.value
        network.conv(begins + growth * place, growth, name=f"part{place}").add("Relu")
        part, network.value = network.value, joined
        network.add("Concat", part, name=f"join{place}", axis=1)
    channels = begins + growth * layers
    numbers = [
        network.constant(f"norm{n}", np.linspace(0.5, 1.7, channels, dtype="float32")) for n in range(4)
    ]
    return network.add("BatchNormalization", *numbers).conv(channels, 64, name="behind").add("Relu")


def parts(path: Path) -> list[tuple[int, ...]]:
    graph = onnx.shape_inference.infer_shapes(onnx.load(path)).graph
    sizes = {value.name: value.type.tensor_type.shape.dim for value in graph.value_info}
    joins = [node for node in graph.node if node.op_type == "Concat"]
    return [tuple(sizes[name][1].dim_value for name in node.input) for node in joins]


@pytest.mark.parametrize(
    ("target", "dtype", "block"),
    [("rk3588", "fp16", 8), ("rk3588", "int8", 16), ("rk3568", "fp16", 4), ("rk3568", "int8", 8)],
)
def test_every_part_of_a_chain_gets_whole_blocks(tmp_path: Path, target: str, dtype: str, block: int) -> None:
    path = dense(30, 8).save(tmp_path / "model.onnx")
    report = fix(path, target, dtype, tmp_path / "out.onnx", rewrites=chosen(["padded_chain"]))
    assert [(change.node, change.rewrite) for change in report.changes] == [("join0", "padded_chain")]
    assert report.verification is not None
    assert report.verification.relative_difference < 1e-5
    found = parts(tmp_path / "out.onnx")
    padded = -(-30 // block) * block
    assert found == [(32 + padded * place, padded) for place in range(8)]


def test_a_part_that_is_read_twice_is_padded_once(tmp_path: Path) -> None:
    """Two Concats share a map that none of them can pad alone."""
    network = Network(1, 16, 16, 16).conv(16, 60, name="shared").add("Relu")
    shared, outputs = network.value, []
    for place in range(2):
        network.value = shared
        network.conv(60, 60, name=f"own{place}").add("Relu").add("Concat", shared, axis=1)
        network.add("MaxPool", kernel_shape=[1, 1]).conv(120, 64, name=f"behind{place}")
        outputs.append(network.value)
    network.add("Add", outputs[0])
    path = network.save(tmp_path / "model.onnx")
    report = fix(path, "rk3588", "fp16", tmp_path / "out.onnx", rewrites=chosen(["padded_chain"]))
    assert [change.rewrite for change in report.changes] == ["padded_chain"]
    assert parts(tmp_path / "out.onnx") == [(64, 64), (64, 64)]


@pytest.mark.parametrize("growth", [16, 32])
def test_whole_blocks_are_left(tmp_path: Path, growth: int) -> None:
    path = dense(growth, 6).save(tmp_path / "model.onnx")
    assert not fix(path, "rk3588", "int8", tmp_path / "out.onnx", rewrites=chosen(["padded_chain"])).changes


def test_a_joined_map_that_is_an_output_keeps_its_channels(tmp_path: Path) -> None:
    network = dense(30, 6)
    joined = next(node.output[0] for node in network.nodes if node.name == "join3")
    path = network.save(tmp_path / "model.onnx", outputs=(joined,))
    assert not fix(path, "rk3588", "fp16", tmp_path / "out.onnx", rewrites=chosen(["padded_chain"])).changes
