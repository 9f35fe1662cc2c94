"""What the first sentence about an ONNX names: everything that owns a good part of the predicted file.

The sizes are those of `predict_size`, which other tests hold against conversions (toolkit 2.5.0).
"""

from __future__ import annotations

import re
from pathlib import Path

from onnx_networks import Network
from rkbench.inspection.prediction import predicted_sentence
from rkbench.onnx import predict_size
from test_onnx_norm_tables import begun, enlarged


def said(network: Network, folder: Path, target: str = "rk3588", dtype: str = "fp16") -> str:
    path = network.save(folder / "network.onnx")
    return str(predicted_sentence(path, predict_size(path, target, dtype)))


def norms(network: Network, count: int) -> Network:
    scale, shift = network.weights("scale", 32), network.weights("shift", 32)
    for _ in range(count):
        network.add("InstanceNormalization", scale, shift).conv(32, 32)
    return network


def number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    assert found, text
    return float(found[1])


def test_norms_that_own_the_file_are_named_with_their_tables_and_commands(tmp_path: Path) -> None:
    """It spoke of commands over all layers (SegResNet, DynUNet, MobileViTv2)."""
    text = said(norms(begun(32, 64), 6), tmp_path)
    assert "6 nodes" in text
    assert "normalization, with tables" in text
    assert "over all layers" not in text


def test_a_transposed_convolution_of_zeros_and_ones_is_named(tmp_path: Path) -> None:
    assert "DepthToSpace, made a dense transposed convolution" in said(enlarged(512, 8), tmp_path)


def test_small_nodes_of_one_kind_are_counted_together(tmp_path: Path) -> None:
    """Only those that own 2 % each were added up: 617 kB of 1.10 MB (MSDNet)."""
    network = Network(1, 16, 8, 8).conv(16, 128, (1, 1)).add("Relu")
    for _ in range(60):
        network.conv(128, 20).add("Relu")
        other = network.value
        network.conv(20, 108).add("Relu").add("Concat", other, axis=1).add("MaxPool", kernel_shape=[1, 1])
    assert "60 nodes" in said(network, tmp_path, "rk3588", "fp16")


def test_kinds_are_told_apart(tmp_path: Path) -> None:
    """All were counted as what the largest node becomes (EdgeNeXt: a Concat as folded constants)."""
    text = said(norms(enlarged(256, 32), 4), tmp_path)
    assert re.search(r"4 nodes \([^)]*\) take .* normalization, with tables", text), text
    assert re.search(r"1 node \(DepthToSpace_\d+\) takes .* DepthToSpace, made a dense", text), text


def test_weights_that_the_compiler_adds_up_are_not_counted_twice(tmp_path: Path) -> None:
    """A file of 8.07 MB had 10.7 MB of weights (TextNet)."""
    network = Network(1, 256, 16, 16)
    network.conv(256, 256)
    one, network.value = network.value, "x"
    network.conv(256, 256).add("Add", one)
    text = said(network, tmp_path)
    assert number(r"predicted\): ([\d.]+) MB of weights once 1\.18 MB", text) < 1.2
    assert "nothing blows up" in text


def test_commands_that_fill_tables_are_named(tmp_path: Path) -> None:
    """88 of them were 22 % of a file, and commands over all layers (YOLO26)."""
    network = Network(1, 16, 16, 16)
    for _ in range(8):
        network.conv(16, 16, (1, 1)).add("Tanh")
    text = said(network, tmp_path, "rk3568", "int8")
    assert number(r"\(([\d.]+) kB of them fill the tables of 8 activations\)", text) == 75.8
    assert number(r"and ([\d.]+) kB of commands", text) > 75.8
