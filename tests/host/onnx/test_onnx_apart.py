"""Concats, shuffles and products that the compiler takes apart, drops or folds: read from files of toolkit
2.5.0."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_networks import Network
from onnx_units import called_twice
from rkbench.onnx import predict_size
from rkbench.onnx.constants import stored_values
from rkbench.onnx.fusion.fuse import Fuser
from rkbench.onnx.model import open_onnx
from test_onnx_fusion import layers


def concat_network(folder: Path, parts: tuple[int, ...], outputs: int, kernel: int = 1) -> Path:
    """Save 1x1s to each part, a Concat of them, and one convolution behind it."""
    network = Network(1, 16, 8, 8)
    made = []
    for count in parts:
        network.value = "x"
        made.append(network.conv(16, count, (1, 1)).value)
    network.value = made[0]
    network.add("Concat", *made[1:], axis=1)
    return network.conv(sum(parts), outputs, (kernel, kernel)).save(folder / "x.onnx")


@pytest.mark.parametrize(
    ("parts", "outputs", "apart"),
    [
        ((20, 96), 32, True),  # a part begins within a block of 8 channels
        ((20, 20, 132), 320, True),
        ((64, 64), 16, True),  # fewer sums than copies
        ((64, 64), 64, False),
        ((160, 256, 640), 410, False),
        ((64, 64, 262), 640, False),  # its last part ends within a block, none begins there
    ],
)
def test_a_concat_is_taken_apart_where_that_is_cheaper(
    tmp_path: Path, parts: tuple[int, ...], outputs: int, apart: bool
) -> None:
    found = layers(concat_network(tmp_path, parts, outputs))
    assert [layer.kind for layer in found].count("concat") == (not apart)
    assert len(found) == (2 * len(parts) if apart else len(parts) + 2)


@pytest.mark.parametrize(
    ("numbers", "kinds"),
    [
        ((0, 200, 1), ["convolution"] * 4),
        ((-1, -(2**31), 1, -1), ["convolution"] * 2 + ["concat", "split", "convolution"]),
    ],
)
def test_a_slice_of_all_channels_between_them_changes_nothing_but_where_it_turns_them_around(
    tmp_path: Path, numbers: tuple[int, ...], kinds: list[str]
) -> None:
    """As GhostNet writes `x[:, :count]`: three 1x1s of 225 kB were predicted that its file does not have."""
    network = Network(1, 16, 14, 14).conv(16, 100, (1, 1), name="one")
    network.value = "x"
    network.conv(16, 100, (1, 1), name="other").add("Concat", "one_out", axis=1)
    one = [network.constant(f"n{place}", np.array([number])) for place, number in enumerate(numbers)]
    network.add("Slice", *one).conv(200, 40, (1, 1))
    found = layers(network.save(tmp_path / "x.onnx"))
    assert [layer.kind for layer in found] == kinds


def test_a_larger_kernel_takes_a_concat_apart_only_where_that_is_cheaper(tmp_path: Path) -> None:
    assert [layer.kind for layer in layers(concat_network(tmp_path, (20, 96), 96, kernel=3))][-2:] == [
        "concat",
        "convolution",
    ]


def shuffle_network(folder: Path, behind: str) -> Path:
    """Save a channel shuffle of 64 channels with one 1x1, or a Split and a 1x1 of a half, behind it."""
    network = Network(1, 16, 8, 8).conv(16, 64, (1, 1)).add("Relu")
    network.add("Reshape", network.constant("five", np.array([1, 2, 32, 8, 8])))
    network.add("Transpose", perm=[0, 2, 1, 3, 4])
    network.add("Reshape", network.constant("four", np.array([1, 64, 8, 8])), name="shuffled")
    if behind == "half":
        network.add("Split", network.constant("halves", np.array([32, 32])), axis=1)
        network.nodes[-1].output.append("other")
        return network.conv(32, 32, (1, 1), name="last").save(folder / "x.onnx", outputs=("other",))
    return network.conv(64, 48, (1, 1), name="last").save(folder / "x.onnx")


def weights_of(path: Path, name: str) -> int:
    """Return the predicted constants of one node, 0 where it has none."""
    nodes = predict_size(path, "rk3588", "fp16").nodes
    return sum(node.weight_bytes for node in nodes if node.name == name)


def test_a_shuffle_before_a_1x1_permutes_its_filters(tmp_path: Path) -> None:
    path = shuffle_network(tmp_path, "whole")
    assert weights_of(path, "shuffled") == 0
    assert weights_of(path, "last") > 0


def test_a_1x1_of_a_half_is_computed_by_what_fetches_it(tmp_path: Path) -> None:
    path = shuffle_network(tmp_path, "half")
    assert weights_of(path, "shuffled") == 64 * 64 * 2
    assert weights_of(path, "last") == 0


@pytest.mark.parametrize(("behind", "size"), [("Identity", 1_003_520), (None, 0)])
def test_a_product_with_zeros_is_stored_as_a_map_behind_an_identity_alone(
    tmp_path: Path, behind: str | None, size: int
) -> None:
    """Converted: 296,624 bytes against 37,232, at 28x28."""
    network = Network(1, 160, 56, 56)
    network.value = zeros = network.constant("zeros", np.zeros((1, 160, 1, 1), "float32"))
    if behind is not None:
        zeros = network.add(behind, name="handed").value
    network.value = "x"
    path = network.add("Mul", zeros).add("Add", "x", name="sum").save(tmp_path / "x.onnx")
    nodes = predict_size(path, "rk3588", "fp16").nodes
    assert sum(node.weight_bytes for node in nodes if node.name == "sum") == size


@pytest.mark.parametrize(("behind", "kinds"), [("Identity", ["map"]), (None, [])])
def test_adding_a_product_with_stored_zeros_is_no_layer(
    tmp_path: Path, behind: str | None, kinds: list[str]
) -> None:
    """NAFNet behind `zero_product`: 813,424 bytes (rk3588 fp16) where 951,552 were said."""
    network = Network(1, 16, 32, 32).conv(16, 16)
    before = network.value
    network.value = zeros = network.constant("zeros", np.zeros((1, 16, 1, 1), "float32"))
    if behind is not None:
        zeros = network.add(behind, name="handed").value
    network.value = before
    path = network.add("Mul", zeros).add("Add", before).conv(16, 16).save(tmp_path / "x.onnx")
    graph = open_onnx(path).graph
    found = [layer for layer in Fuser(graph, stored_values(graph)).run().layers if layer.kind != "free"]
    assert [layer.kind for layer in found] == ["convolution", *kinds, "convolution"]


@pytest.mark.parametrize(("behind", "size"), [("Identity", 73_728), (None, 0)])
def test_weights_behind_an_identity_are_stored_again(tmp_path: Path, behind: str | None, size: int) -> None:
    """Converted: 173,938 bytes against 99,826."""
    path = called_twice(tmp_path, behind=behind)
    assert weights_of(path, "one") == 73_728
    assert weights_of(path, "two") == size


def test_a_window_above_7_pixels_becomes_a_depthwise_convolution(tmp_path: Path) -> None:
    network = Network(1, 128, 24, 24)
    path = network.add("AveragePool", kernel_shape=[12, 12], strides=[8, 8], name="pool").save(
        tmp_path / "x.onnx"
    )
    assert weights_of(path, "pool") == 36_864


def heads_network(folder: Path, heads: int, channels: int, positions: int) -> Path:
    """Save vectors divided by their lengths, an attention over channels, and its heads joined."""
    network = Network(1, heads, channels, positions)
    network.add("ReduceL2", axes=[-1], keepdims=1)
    network.add("Clip", network.constant("least", np.float32(1e-12)), name="length")
    network.value = "x"
    network.add("Div", "length_out", name="unit").add("Transpose", perm=[0, 1, 3, 2], name="turned")
    network.value = "unit_out"
    network.add("MatMul", "turned_out").add("Softmax", axis=-1).add("MatMul", "x")
    return network.add("Transpose", perm=[0, 3, 1, 2], name="joined").save(folder / "x.onnx")


def test_vectors_divided_by_their_lengths_are_one_layer(tmp_path: Path) -> None:
    found = layers(heads_network(tmp_path, 4, 32, 196))
    assert [layer.kind for layer in found] == ["length", "attention", "turn"]


@pytest.mark.parametrize(("positions", "commands"), [(196, 113_288), (198, 0)])
def test_the_rk3568_joins_heads_by_tasks_of_four_positions_else_on_its_cpu(
    tmp_path: Path, positions: int, commands: int
) -> None:
    path = heads_network(tmp_path, 4, 32, positions)
    joined = next(node for node in predict_size(path, "rk3568", "fp16").nodes if node.name == "joined")
    assert joined.command_bytes is not None
    assert joined.command_bytes >= commands
    assert joined.command_bytes < commands * 1.2 + 500


def test_tensors_of_short_names_take_less(data: Path) -> None:
    """13 layers of 128 groups, whose file has 7,026,990 bytes."""
    prediction = predict_size(data / "models/bloat3M_groupconv_cpg4.onnx", "rk3568", "fp16")
    assert abs(prediction.file_bytes - 7_026_990) <= 0.03 * 7_026_990
