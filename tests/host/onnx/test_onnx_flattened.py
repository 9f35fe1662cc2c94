"""Maps that become a vector in another order than they lie in: sizes of files of 2.5.0, the rewrite."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx_networks import Network
from rkbench.onnx import fix, predict_size
from rkbench.onnx.prediction import ORDERED

VALUES = 480


def flattened(*perm: int, batch: int = 1, channels: int = 32, side: int = 3) -> Network:
    """Return a map of `channels` x `side` x 5 that is turned and made a vector."""
    network = Network(batch, 16, side, 5).conv(16, channels, (1, 1)).add("Relu")
    if perm:
        network.add("Transpose", perm=list(perm))
    return network.add("Flatten")


def product(network: Network, inputs: int = VALUES) -> Network:
    """Append a Gemm to 24 outputs."""
    weights = network.weights("matrix", 24, inputs)
    return network.add("Gemm", weights, network.weights("shift", 24), transB=1)


def ordered(network: Network, folder: Path, target: str = "rk3588", dtype: str = "fp16") -> list[int]:
    """Return the constants of what is predicted to be put in order."""
    found = predict_size(network.save(folder / "x.onnx"), target, dtype)
    return [node.weight_bytes for node in found.nodes if node.becomes == ORDERED]


@pytest.mark.parametrize("perm", [(0, 2, 3, 1), (0, 3, 2, 1), (0, 3, 1, 2), (0, 2, 1, 3), (0, 1, 3, 2)])
def test_any_order_of_axes_before_a_vector_is_a_kernel_of_all_values(
    tmp_path: Path, perm: tuple[int, ...]
) -> None:
    network = product(flattened(*perm))
    assert ordered(network, tmp_path) == [VALUES * VALUES * 2]
    converted = {("rk3588", "fp16"): 514_931, ("rk3588", "int8"): 277_391, ("rk3568", "fp16"): 497_843}
    for (target, dtype), size in converted.items():
        predicted = predict_size(tmp_path / "x.onnx", target, dtype).file_bytes
        assert predicted == pytest.approx(size, rel=0.02)


def test_a_map_that_is_flattened_as_it_lies_is_not_put_in_order(tmp_path: Path) -> None:
    assert ordered(product(flattened()), tmp_path) == []
    assert ordered(product(flattened(0, 2, 3, 1, channels=96, side=1)), tmp_path) == [460_800]
    assert ordered(product(flattened(0, 2, 1, 3, channels=96, side=1)), tmp_path) == []


def test_what_no_product_by_stored_weights_reads_alone_is_not_put_in_order(tmp_path: Path) -> None:
    assert ordered(flattened(0, 2, 3, 1), tmp_path) == []
    assert ordered(flattened(0, 2, 3, 1).add("Relu"), tmp_path) == []
    assert ordered(product(flattened(0, 2, 3, 1).add("Relu")), tmp_path) == [460_800]
    assert ordered(product(flattened(0, 2, 3, 1, batch=2)), tmp_path) == []
    twice = flattened(0, 2, 3, 1)
    assert ordered(product(twice.add("Add", twice.value)), tmp_path) == []
    shared = flattened(0, 2, 3, 1)
    vector = shared.value
    product(shared)
    assert ordered(shared.add("Concat", vector, axis=1), tmp_path) == []


@pytest.mark.parametrize(
    ("values", "target", "dtype", "is_kernel"),
    [
        (1536, "rk3588", "fp16", True),
        (1600, "rk3588", "fp16", False),
        (1600, "rk3588", "int8", True),
        (3200, "rk3588", "int8", False),
        (3072, "rk3568", "fp16", True),
        (3200, "rk3568", "fp16", False),
        (4096, "rk3568", "int8", True),
    ],
)
def test_weights_of_one_output_limit_how_many_values_are_put_in_order(
    tmp_path: Path, values: int, target: str, dtype: str, *, is_kernel: bool
) -> None:
    network = Network(1, 16, 2, 4).conv(16, values // 8, (1, 1)).add("Transpose", perm=[0, 2, 3, 1])
    found = ordered(product(network.add("Flatten"), values), tmp_path, target, dtype)
    assert bool(found) is is_kernel


def rows(*perm: int) -> Network:
    """Return 15 rows of 32 channels that a product makes, made a vector."""
    network = Network(1, 15, 16)
    network.add("MatMul", network.weights("w", 16, 32)).add("Relu")
    if perm:
        network.add("Transpose", perm=list(perm))
    return network.add("Reshape", network.constant("flat", np.array([1, VALUES], "int64")))


def test_rows_of_a_product_lie_with_their_channels_first(tmp_path: Path) -> None:
    assert ordered(product(rows()), tmp_path) == [460_800]
    assert ordered(product(rows(0, 2, 1)), tmp_path) == []


def scaled(network: Network) -> Network:
    """Append a scale and a slope of each value of a vector."""
    network.add("Mul", network.weights("scale", 1, VALUES))
    return network.add("PRelu", network.weights("slope", VALUES))


@pytest.mark.parametrize("target", ["rk3588", "rk3568"])
@pytest.mark.parametrize("dtype", ["fp16", "int8"])
@pytest.mark.parametrize(
    "network",
    [
        lambda: flattened(0, 2, 3, 1),
        lambda: flattened(0, 3, 2, 1),
        lambda: flattened(0, 3, 1, 2),
        lambda: scaled(flattened(0, 2, 1, 3)),
        lambda: flattened(0, 1, 3, 2).add("Sigmoid"),
        rows,
    ],
    ids=["last", "turned", "third", "scaled", "sigmoid", "rows"],
)
def test_the_weights_take_the_order_instead(
    tmp_path: Path, network: Callable[[], Network], target: str, dtype: str
) -> None:
    path = product(network()).save(tmp_path / "x.onnx")
    report = fix(path, target, dtype, tmp_path / "fixed.onnx")
    assert [change.rewrite for change in report.changes] == ["flattened_order"]
    assert report.verification is not None
    assert report.verification.relative_difference < 1e-6
    before, after = (predict_size(tmp_path / name, target, dtype) for name in ("x.onnx", "fixed.onnx"))
    assert before.weight_bytes - after.weight_bytes >= VALUES * VALUES * (1 if dtype == "int8" else 2)


def test_a_weight_that_others_read_too_keeps_its_order_there(tmp_path: Path) -> None:
    network = Network(1, 16, 3, 5)
    start = network.value
    network.conv(16, 32, (1, 1)).add("Flatten")
    product(network)
    plain, network.value = network.value, start
    network.conv(16, 32, (1, 1)).add("Transpose", perm=[0, 2, 3, 1]).add("Flatten")
    network.add("Gemm", "matrix", "shift", transB=1).add("Add", plain)
    report = fix(network.save(tmp_path / "x.onnx"), "rk3588", "fp16", tmp_path / "fixed.onnx")
    assert [change.rewrite for change in report.changes] == ["flattened_order"]


def test_a_vector_that_becomes_a_map_again_before_the_product_keeps_its_order(tmp_path: Path) -> None:
    network = flattened(0, 2, 3, 1)
    network.add("Reshape", network.constant("halves", np.array([1, 2, 240])))
    network.add("MatMul", network.weights("w", 240, 24))
    report = fix(network.save(tmp_path / "x.onnx"), "rk3588", "fp16", tmp_path / "y.onnx")
    assert report.changes == ()


def test_a_transpose_that_names_no_order_turns_all_axes(tmp_path: Path) -> None:
    network = Network(1, 15, 16)
    network.add("MatMul", network.weights("w", 16, 32)).add("Transpose")
    network.add("Reshape", network.constant("flat", np.array([1, VALUES])))
    assert ordered(product(network), tmp_path) == []
    assert fix(tmp_path / "x.onnx", "rk3588", "fp16", tmp_path / "y.onnx").changes == ()


def test_a_weight_that_the_network_hands_out_stays_as_it_is(tmp_path: Path) -> None:
    model = onnx.load(product(flattened(0, 2, 3, 1)).save(tmp_path / "x.onnx"))
    matrix = onnx.helper.make_tensor_value_info("matrix", onnx.TensorProto.FLOAT, [24, VALUES])
    model.graph.output.append(matrix)
    onnx.save(model, tmp_path / "x.onnx")
    report = fix(tmp_path / "x.onnx", "rk3588", "fp16", tmp_path / "y.onnx")
    assert [change.rewrite for change in report.changes] == ["flattened_order"]
    assert report.dropped == ()
