"""Batches of sequences, and products of two maps: commands and records read from files of toolkit 2.5.0."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx_networks import Network
from rkbench.onnx import open_onnx, predict
from rkbench.onnx.fusion.geometry import product_of
from rkbench.rknn.targets import Dtype
from test_onnx_norm_maps import normed

ONE_NORM = 6_472
STRUCTURE_BYTES = 3_700
"""What the layers here take at most beside commands and records."""


def commands_of(network: Network, name: str, folder: Path, target: str, dtype: Dtype = "fp16") -> int:
    nodes = predict(open_onnx(network.save(folder / "x.onnx")), target, dtype).nodes
    return next(node.command_bytes or 0 for node in nodes if node.name == name)


@pytest.mark.parametrize(
    ("sequences", "steps", "batch", "size"),
    [(16, 50, 16, (1, 50)), (27, 17, 1, (27, 17)), (64, 50, 1, (64, 50)), (256, 1, 1, (1, 256))],
)
def test_many_sequences_are_the_rows_of_one_map_for_a_product(
    sequences: int, steps: int, batch: int, size: tuple[int, int], tmp_path: Path
) -> None:
    network = Network(sequences, steps, 32)
    path = network.add("MatMul", network.weights("w", 32, 64)).save(tmp_path / "x.onnx")
    (node,) = open_onnx(path).graph
    found = product_of(node)
    assert found is not None
    assert (found.batch, found.input_size) == (batch, size)


@pytest.mark.parametrize("is_read_by_a_product", [False, True])
def test_many_vectors_are_one_map_unless_they_meet_in_a_product(
    is_read_by_a_product: bool, tmp_path: Path
) -> None:
    """In Beat This 32 sequences of 128 steps are normed at once, in DITN 64 meet head by head."""
    network = Network(32, 128, 32).add("Relu")
    source = network.value
    network.add("ReduceL2", axes=[-1], name="lengths")
    network.value = source
    network.add("Div", "lengths_out")
    quotient = network.value
    if is_read_by_a_product:
        network.value = source
        network.add("Transpose", perm=[0, 2, 1], name="turned")
        network.value = quotient
        network.add("MatMul", "turned_out")
    else:
        network.add("MatMul", network.weights("w", 32, 96))
    found = commands_of(network.add("Relu"), "lengths", tmp_path, "rk3588")
    assert found == pytest.approx(ONE_NORM * (60 if is_read_by_a_product else 1), rel=0.6)


@pytest.mark.parametrize(("sequences", "norms"), [(16, 254_592), (27, ONE_NORM), (64, ONE_NORM)])
def test_many_sequences_are_normed_at_once(sequences: int, norms: int, tmp_path: Path) -> None:
    """MotionBERT and RegionViT for the rk3588: 17 norms were said to take 2.76 MB that take 110 kB."""
    network = normed(Network(sequences, 50, 64).add("Relu"), 64)
    network.add("MatMul", network.weights("w", 64, 64))
    assert commands_of(network, "mean", tmp_path, "rk3588") == pytest.approx(norms, abs=norms * 0.1 + 4_000)


def attention(heads: int, channels: int, positions: int) -> Network:
    network = Network(heads, positions, channels).add("Relu")
    source = network.value
    network.add("Transpose", perm=[0, 2, 1], name="turned")
    network.value = source
    network.add("MatMul", "turned_out", name="scores").add("Softmax", axis=-1).add("MatMul", source)
    return network.add("Relu")


@pytest.mark.parametrize(
    ("target", "dtype", "heads", "channels", "positions", "size"),
    [
        ("rk3588", "fp16", 216, 16, 17, 1_490_176),
        ("rk3588", "fp16", 136, 16, 27, 895_552),
        ("rk3588", "fp16", 128, 32, 49, 827_648),
        ("rk3588", "int8", 128, 32, 49, 997_504),
        ("rk3588", "fp16", 8, 32, 196, 56_448),
        ("rk3568", "fp16", 128, 32, 49, 356_992 + 269_864),
        ("rk3568", "int8", 128, 32, 49, 248_064 + 227_240),
    ],
)
def test_products_of_two_maps_take_what_each_head_takes(
    target: str, dtype: Dtype, heads: int, channels: int, positions: int, size: int, tmp_path: Path
) -> None:
    found = commands_of(attention(heads, channels, positions), "scores", tmp_path, target, dtype)
    assert found == pytest.approx(size, rel=0.25)


@pytest.mark.parametrize(
    ("operator", "size"), [("Mul", 760), ("Add", 5_560)], ids=["product on one core", "sum on three"]
)
def test_a_sum_of_maps_is_cut_and_a_product_is_not(operator: str, size: int, tmp_path: Path) -> None:
    """Of 1,950 products in files for the rk3588 every one is one core's, of 2,500 sums 2,400 are cut."""
    network = Network(1, 32, 16, 16).add("MaxPool", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    first = network.value
    network.add("MaxPool", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    network.add(operator, first, name="both").add("MaxPool", kernel_shape=[2, 2])
    found = commands_of(network, "both", tmp_path, "rk3588")
    assert size <= found <= size + STRUCTURE_BYTES


@pytest.mark.parametrize(
    ("target", "first", "second", "size"),
    [
        ("rk3568", (1, 8, 785, 16), (1, 8, 16, 16), 138_304),
        ("rk3568", (1, 4, 256, 1, 16), (1, 1, 256, 16, 64), 147_456),
        ("rk3588", (1, 4, 256, 1, 16), (1, 1, 256, 16, 64), 320_312),
    ],
    ids=["many rows", "lone rows that meet one map", "the same on three cores"],
)
def test_a_product_alone_goes_through_the_rows_of_its_first_map(
    target: str, first: tuple[int, ...], second: tuple[int, ...], size: int, tmp_path: Path
) -> None:
    """CoaT's and LambdaResNet's, which was predicted 25.8 MB for the rk3568 in fp16, now 23.2 of 23.6."""
    network = Network(*first)
    network.extra_inputs.append(onnx.helper.make_tensor_value_info("other", onnx.TensorProto.FLOAT, second))
    network.add("MatMul", "other", name="product").add("Relu")
    assert commands_of(network, "product", tmp_path, target) == pytest.approx(size, rel=0.25)


def test_a_softmax_is_seen_through_casts(tmp_path: Path) -> None:
    """The second product of AST's 302 positions for the rk3568: 46 kB were predicted of 8.8."""
    network = Network(3, 302, 302).add("Softmax", axis=-1).add("Cast", to=10).add("Cast", to=1)
    values = onnx.helper.make_tensor_value_info("values", onnx.TensorProto.FLOAT, (3, 302, 32))
    network.extra_inputs.append(values)
    network.add("MatMul", "values", name="product").add("Relu")
    assert commands_of(network, "product", tmp_path, "rk3568") == pytest.approx(8_848, rel=0.4)
