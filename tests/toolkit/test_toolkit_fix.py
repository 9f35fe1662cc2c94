"""`bench fix`, judged by the compiler: the fixed network converted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from onnx_networks import Network
from onnx_units import (
    along_channels,
    bare_numbers,
    boxes,
    enlarging,
    film,
    merged,
    padded,
    padded_by_a_constant,
    pyramid,
    reduced,
    refused_dropout,
    refused_gate,
    signals,
    sized_by_its_map,
    summed_from_zero,
    unit,
)
from rkbench.onnx import fix
from rkbench.onnx.rewrites import chosen
from toolkit_jobs import Convert

TARGETS = [(target, dtype) for target in ("rk3588", "rk3568") for dtype in ("fp16", "int8")]


@pytest.mark.parametrize(
    ("name", "target", "dtype", "at_most_bytes"),
    [
        ("bloat3M_groupconv_cpg4.onnx", "rk3588", "fp16", 9_000_000),
        ("bloat3M_groupconv_cpg4.onnx", "rk3588", "int8", 6_500_000),
        ("bloat3M_groupconv_cpg4.onnx", "rk3568", "int8", 3_300_000),
        ("bloat3M_groupconv_cpg4.onnx", "rk3568", "fp16", 5_000_000),
        ("dwm_c512_m2.onnx", "rk3588", "fp16", 400_000),
        ("dwm_c512_m2.onnx", "rk3568", "int8", 200_000),
    ],
)
def test_the_fixed_network_converts_to_a_small_file(
    data: Path, tmp_path: Path, convert: Convert, name: str, target: str, dtype: str, at_most_bytes: int
) -> None:
    fixed = tmp_path / "fixed.onnx"
    report = fix(data / "models" / name, target, dtype, fixed)
    size = convert(fixed, target, dtype)["size_bytes"]
    assert size <= at_most_bytes
    assert abs(report.after.file_bytes - size) <= 0.15 * size
    assert report.verification is not None
    assert report.verification.relative_difference < 1e-3


@pytest.mark.parametrize(
    ("network", "rewrite"),
    [
        (unit((116, 116)), "shuffled_halves"),
        (reduced(merged(32, 16), 128), "merged_patches"),
        (signals((28, 28, 30)), "padded_concat"),
        (film(), "patchify"),
    ],
    ids=["shuffled_halves", "merged_patches", "padded_concat", "patchify"],
)
@pytest.mark.parametrize(("target", "dtype"), TARGETS)
def test_what_a_rewrite_makes_converts_smaller(
    tmp_path: Path, convert: Convert, network: Network, rewrite: str, target: str, dtype: str
) -> None:
    path = network.save(tmp_path / "network.onnx")
    report = fix(path, target, dtype, tmp_path / "fixed.onnx")
    assert [change.rewrite for change in report.changes] == [rewrite]
    before = convert(path, target, dtype)["size_bytes"]
    assert convert(tmp_path / "fixed.onnx", target, dtype)["size_bytes"] < before


@pytest.mark.parametrize(
    ("target", "dtype", "channels"),
    [("rk3588", "fp16", 256), ("rk3588", "int8", 512), ("rk3568", "fp16", 512), ("rk3568", "int8", 768)],
)
def test_weights_that_layers_share_are_cut_once(
    tmp_path: Path, convert: Convert, target: str, dtype: str, channels: int
) -> None:
    path = pyramid(channels, tmp_path)
    report = fix(path, target, dtype, tmp_path / "fixed.onnx")
    assert [change.rewrite for change in report.changes] == ["shared_parts"]
    before = convert(path, target, dtype)["size_bytes"]
    assert convert(tmp_path / "fixed.onnx", target, dtype)["size_bytes"] < 0.7 * before


def newer_opset(folder: Path) -> Path:
    """Save a network of opset 22 with a Gelu."""
    path = Network(1, 4, 8, 8).conv(4, 16).add("Relu").save(folder / "older.onnx")
    model = onnx.load(path)
    model.opset_import[0].version = 22
    next(node for node in model.graph.node if node.op_type == "Relu").op_type = "Gelu"
    onnx.save(model, folder / "newer.onnx")
    return folder / "newer.onnx"


def out_of_order(folder: Path) -> Path:
    """Save a network whose nodes stand the wrong way round."""
    path = Network(1, 4, 8, 8).conv(4, 16).add("Relu").save(folder / "ordered.onnx")
    model = onnx.load(path)
    nodes = list(model.graph.node)[::-1]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, folder / "reversed.onnx")
    return folder / "reversed.onnx"


def with_a_function(folder: Path) -> Path:
    """Save a network whose Relu is a function that the file defines."""
    path = Network(1, 4, 8, 8).conv(4, 16).add("Relu").save(folder / "plain.onnx")
    model = onnx.load(path)
    imports = [helper.make_opsetid("", model.opset_import[0].version)]
    relu = helper.make_node("Relu", ["a"], ["b"])
    model.functions.append(helper.make_function("own", "block", ["a"], ["b"], [relu], imports))
    node = next(node for node in model.graph.node if node.op_type == "Relu")
    node.op_type, node.domain = "block", "own"
    model.opset_import.append(helper.make_opsetid("own", 1))
    onnx.save(model, folder / "called.onnx")
    return folder / "called.onnx"


def largely_enlarging(folder: Path) -> Path:
    """Save a transposed convolution that the converter cuts."""
    return enlarging(folder, 200)


REFUSED = (
    refused_dropout,
    largely_enlarging,
    refused_gate,
    boxes,
    newer_opset,
    out_of_order,
    with_a_function,
    padded,
    padded_by_a_constant,
    bare_numbers,
)


@pytest.mark.parametrize("make", REFUSED)
def test_what_the_converter_refuses_converts_once_it_is_cured(
    tmp_path: Path, convert: Convert, make: Callable[[Path], Path]
) -> None:
    path = make(tmp_path)
    assert not convert(path, "rk3588", "fp16")["ok"]
    fix(path, "rk3588", "fp16", tmp_path / "fixed.onnx")
    assert convert(tmp_path / "fixed.onnx", "rk3588", "fp16")["ok"]


def gated() -> Network:
    """Return a map that the mean over its channels gates."""
    network = Network(1, 4, 48, 48).conv(4, 32, (1, 1)).add("Relu")
    source = network.value
    network.add("ReduceMean", name="mean", axes=[1], keepdims=1).conv(1, 1, (1, 1)).add("Sigmoid")
    return network.add("Mul", source).conv(32, 4, (1, 1))


def stacked() -> Network:
    """Return two maps that are stacked along a new axis and summed over it."""
    network = Network(1, 4, 32, 32).conv(4, 64, (1, 1)).add("Relu")
    maps, axis = [network.value], network.constant("axis", np.array([1], "int64"))
    maps.append(network.conv(64, 64, (3, 3)).value)
    views = []
    for value in maps:
        network.value = value
        views.append(network.add("Unsqueeze", axis).value)
    network.value = views[0]
    network.add("Concat", views[1], axis=1).add("ReduceSum", axis, name="sum", keepdims=0)
    return network.conv(64, 4, (1, 1))


def enlarged() -> Network:
    """Return a map whose channels become pixels."""
    network = Network(1, 8, 16, 16).conv(8, 32, (3, 3)).add("Relu").conv(32, 128, (1, 1), bias=False)
    return network.add("DepthToSpace", blocksize=2, mode="CRD").conv(32, 8, (1, 1))


@pytest.mark.parametrize(("target", "dtype"), TARGETS)
@pytest.mark.parametrize(
    ("make", "rewrite"),
    [
        (gated, "channel_mean"),
        (stacked, "stacked_sum"),
        (enlarged, "pixel_shuffle"),
        (sized_by_its_map, "bilinear"),
        (summed_from_zero, "parallel_branches"),
        (along_channels, "channel_rows"),
    ],
)
def test_maps_that_stay_in_their_blocks_convert_smaller(
    tmp_path: Path, convert: Convert, make: Callable[[], Network], rewrite: str, target: str, dtype: str
) -> None:
    path = make().save(tmp_path / "maps.onnx")
    report = fix(path, target, dtype, tmp_path / "fixed.onnx")
    assert report.changes[0].rewrite == rewrite
    before = convert(path, target, dtype)["size_bytes"]
    assert convert(tmp_path / "fixed.onnx", target, dtype)["size_bytes"] < before


def expanded_gate() -> Network:
    """Return a map that is multiplied by a gate that was expanded to its size."""
    network = Network(1, 16, 14, 14).conv(16, 256, (1, 1)).add("Relu")
    source = network.value
    network.add("GlobalAveragePool").conv(256, 256, (1, 1)).add("Sigmoid")
    network.add("Expand", network.constant("size", np.array([1, 256, 14, 14], "int64")))
    return network.add("Mul", source).conv(256, 16, (1, 1))


def padded_signal() -> Network:
    """Return a filter bank over a signal that it pads."""
    network = Network(1, 1, 8000)
    weights = network.weights("filters", 64, 1, 16)
    network.add("Conv", weights, kernel_shape=[16], strides=[8], pads=[8, 8])
    return network.add("Relu").conv(64, 32, (1,))


def turned_vector() -> Network:
    """Return a map whose channels come last before it becomes a vector for a Gemm."""
    network = Network(1, 16, 3, 5).conv(16, 32, (1, 1)).add("Relu")
    network.add("Transpose", perm=[0, 2, 3, 1]).add("Flatten")
    return network.add("Gemm", network.weights("matrix", 24, 480), network.weights("shift", 24), transB=1)


def coordinates() -> Network:
    """Return a convolution over a map and the three constant maps of its coordinates."""
    network = Network(1, 3, 32, 24)
    maps = [network.weights(f"map{place}", 1, 1, 32, 24) for place in range(3)]
    return network.add("Concat", *maps, axis=1).conv(6, 16)


def causal() -> Network:
    """Return a convolution over a long signal, with taps 64 apart that lie before each sample."""
    network = Network(1, 8, 1024)
    weights = network.weights("taps", 16, 8, 3)
    network.add("Conv", weights, kernel_shape=[3], dilations=[64], pads=[128, 0])
    return network.add("Relu").conv(16, 8, (1,))


@pytest.mark.parametrize(
    ("make", "rewrite", "target", "dtype"),
    [
        *((turned_vector, "flattened_order", target, dtype) for target, dtype in TARGETS),
        *((coordinates, "joined_constants", target, dtype) for target, dtype in TARGETS),
        *((causal, "far_taps", target, dtype) for target, dtype in TARGETS),
        *((expanded_gate, "dropped_expand", target, dtype) for target, dtype in TARGETS),
        *((padded_signal, "strided_signal", target, "fp16") for target in ("rk3588", "rk3568")),
    ],
)
def test_what_is_needless_is_left_out_and_the_file_is_smaller(
    tmp_path: Path, convert: Convert, make: Callable[[], Network], rewrite: str, target: str, dtype: str
) -> None:
    path = make().save(tmp_path / "whole.onnx")
    report = fix(path, target, dtype, tmp_path / "fixed.onnx", rewrites=chosen([rewrite]))
    assert [change.rewrite for change in report.changes] == [rewrite]
    before = convert(path, target, dtype)["size_bytes"]
    assert convert(tmp_path / "fixed.onnx", target, dtype)["size_bytes"] < before
