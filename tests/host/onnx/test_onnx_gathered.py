"""Values picked by stored places become products with matrices (read from files of toolkit 2.5.0)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_networks import Network
from rkbench.onnx import predict_size
from rkbench.onnx.prediction import PICKED


def elements(axis: int, made: int, *shape: int) -> Network:
    """Return rows through a product, of which a GatherElements picks values along an axis."""
    network = Network(*shape)
    network.add("MatMul", network.weights("w", shape[-1], shape[-1]))
    size = [made if place == axis % len(shape) else side for place, side in enumerate(shape)]
    places = network.random.integers(0, shape[axis], size)
    return network.add("GatherElements", network.constant("places", places), name="pick", axis=axis)


@pytest.mark.parametrize(
    ("axis", "made", "shape", "target", "dtype", "measured"),
    [
        (-1, 20, (1, 24, 36), "rk3588", "fp16", 39_360),
        (-1, 20, (1, 24, 36), "rk3588", "int8", 23_360),
        (1, 12, (1, 24, 40), "rk3588", "int8", 15_360),
        (-1, 50, (2, 10, 32), "rk3588", "int8", 33_280),
        (-1, 50, (2, 10, 32), "rk3568", "int8", 33_280),
        (-1, 199, (4, 199, 64), "rk3588", "fp16", 20_377_600),
        (-1, 199, (4, 199, 64), "rk3568", "int8", 10_188_800),
    ],
)
def test_gathered_elements_take_a_matrix_for_each_row(
    tmp_path: Path, axis: int, made: int, shape: tuple[int, ...], target: str, dtype: str, measured: int
) -> None:
    found = predict_size(elements(axis, made, *shape).save(tmp_path / "x.onnx"), target, dtype)
    picks = [node for node in found.nodes if node.name == "pick"]
    assert [node.weight_bytes for node in picks] == [pytest.approx(measured, rel=0.025)]
    assert [node.becomes for node in picks] == [PICKED]


def frames(*picks: list[int]) -> Network:
    """Return the features of four frames, of which some are picked and made one vector, each time anew."""
    network, made = Network(4, 16, 4, 4), []
    network.conv(16, 64, (1, 1)).add("GlobalAveragePool")
    network.add("Reshape", network.constant("joined", np.array([1, 4, 64])))
    features = network.value
    for place, pick in enumerate(picks):
        network.value = features
        network.add("Gather", network.constant(f"p{place}", np.array(pick)), name=f"pick_{place}", axis=1)
        network.add("Reshape", network.constant(f"s{place}", np.array([1, 64 * len(pick)]))).add("Relu")
        network.add("Gemm", network.weights(f"w{place}", 64 * len(pick), 16))
        made.append(network.value)
    network.value = made.pop()
    for other in made:
        network.add("Add", other)
    return network


@pytest.mark.parametrize(
    ("dtype", "measured"), [("fp16", [98_304, 0, 65_536]), ("int8", [50_688, 0, 33_792])]
)
def test_rows_that_several_pick_for_a_vector_are_picked_by_a_dense_kernel(
    tmp_path: Path, dtype: str, measured: list[int]
) -> None:
    network = frames([0, 2, 3], [1, 2, 3], [1, 3])
    found = predict_size(network.save(tmp_path / "x.onnx"), "rk3588", dtype)
    picks = [node.weight_bytes for node in found.nodes if node.name.startswith("pick")]
    assert picks == measured


def test_rows_that_one_picks_stay_rows(tmp_path: Path) -> None:
    found = predict_size(frames([0, 2, 3]).save(tmp_path / "x.onnx"), "rk3588", "fp16")
    assert PICKED not in [node.becomes for node in found.nodes]


@pytest.mark.parametrize(("axis", "made", "shape"), [(2, 4, (1, 0, 8)), (0, 0, (2, 3, 4))])
def test_a_pick_of_nothing_takes_nothing(
    tmp_path: Path, axis: int, made: int, shape: tuple[int, ...]
) -> None:
    network = Network(*shape).add("Relu")
    size = [made if place == axis else side for place, side in enumerate(shape)]
    network.add("GatherElements", network.constant("places", np.zeros(size, "int64")), axis=axis)
    assert predict_size(network.save(tmp_path / "x.onnx"), "rk3588", "fp16").weight_bytes == 0
