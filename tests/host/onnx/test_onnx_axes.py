"""Norms over groups, sums and means over one axis, rows and channels that are picked: predicted as converted.

Sizes of files of toolkit 2.5.0, in bytes, for rk3588 fp16 and int8, rk3568 fp16 and int8.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from onnx_networks import Network
from rkbench.onnx import predict_size
from rkbench.rknn.targets import Dtype

TARGETS = [(target, dtype) for target in ("rk3588", "rk3568") for dtype in ("fp16", "int8")]


def begun(channels: int, side: int) -> Network:
    return Network(1, 16, side, side).conv(16, channels, (1, 1)).add("Relu")


def group_norm(channels: int, side: int, groups: int) -> Network:
    """Return a norm over groups as exporters write it: an InstanceNormalization of a map in groups."""
    network = begun(channels, side)
    network.add("Reshape", network.constant("groups", np.array([1, groups, -1])))
    ones = network.constant("ones", np.ones(groups, "float32"))
    zeros = network.constant("zeros", np.zeros(groups, "float32"))
    network.add("InstanceNormalization", ones, zeros)
    network.add("Reshape", network.constant("map", np.array([1, channels, side, side])))
    network.add("Mul", network.weights("scale", 1, channels, 1, 1))
    network.add("Add", network.weights("shift", 1, channels, 1, 1))
    return network.conv(channels, 32, (1, 1))


def picked(axis: int, count: int) -> Network:
    """Return a map of 64 channels, 16 x 16, of which `count` places along an axis are kept."""
    network = begun(64, 16)
    places = np.random.default_rng(1).permutation(64 if axis == 1 else 16)[:count]
    network.add("Gather", network.constant("places", places), axis=axis)
    return network.conv(count if axis == 1 else 64, 32, (1, 1))


def reduced(kind: str, axis: int) -> Network:
    network = begun(64, 16)
    if kind == "ReduceSum":
        network.add(kind, network.constant("axes", np.array([axis])), keepdims=1)
    else:
        network.add(kind, axes=[axis], keepdims=1)
    return network.conv(1 if axis == 1 else 64, 32, (1, 1))


@pytest.mark.parametrize(
    ("make", "sizes"),
    [
        (partial(group_norm, 32, 8, 1), (50_923, 50_821, 33_067, 44_741)),
        (partial(group_norm, 64, 32, 1), (116_207, 114_697, 88_751, 99_465)),
        (partial(group_norm, 48, 14, 4), (193_455, 201_033, 55_407, 92_297)),
        (partial(group_norm, 64, 16, 8), (200_879, 273_033, 77_039, 93_961)),
        (partial(picked, 1, 32), (41_902, 40_008, 27_246, 36_232)),
        (partial(picked, 2, 16), (40_558, 38_152, 27_694, 37_000)),
        (partial(picked, 3, 8), (38_317, 35_911, 23_213, 32_519)),
        (partial(reduced, "ReduceMean", 1), (36_334, 37_448, 21_422, 33_288)),
        (partial(reduced, "ReduceMean", 3), (48_109, 48_583, 20_653, 19_271)),
        (partial(reduced, "ReduceSum", 3), (103_789, 199_431, 186_477, 58_439)),
    ],
)
def test_what_goes_along_one_axis_is_predicted_within_a_tenth(
    make: Callable[[], Network], sizes: tuple[int, ...], tmp_path: Path
) -> None:
    path = make().save(tmp_path / "m.onnx")
    predicted = tuple(predict_size(path, *each).file_bytes for each in TARGETS)
    assert predicted == tuple(pytest.approx(size, rel=0.1) for size in sizes)


def two_means(channels: int, side: int, first: int) -> Network:
    network = Network(1, 16, side, side).conv(16, channels, (1, 1)).add("Relu")
    for axis in (first, 5 - first):
        network.add("ReduceMean", axes=[axis], keepdims=1)
    return network.conv(channels, 8, (1, 1))


def column(channels: int) -> Network:
    network = Network(1, 16, 14, 1).conv(16, channels, (1, 1)).add("Relu")
    return network.add("ReduceMean", axes=[2], keepdims=1).conv(channels, 8, (1, 1))


@pytest.mark.parametrize(
    ("make", "sizes"),
    [
        (partial(two_means, 1024, 14, 2), (130_922, 92_740, 70_186, 51_268)),
        (partial(two_means, 256, 14, 2), (62_506, 54_724, 29_226, 26_692)),
        (partial(two_means, 1024, 14, 3), (381_610, 379_652, 70_186, 51_268)),
        (partial(two_means, 256, 28, 3), (126_378, 127_172, 30_378, 26_628)),
        (partial(column, 1024), (81_385, 62_403)),
    ],
)
def test_maps_that_are_turned_for_means_take_a_task_for_every_few_channels(
    make: Callable[[], Network], sizes: tuple[int, ...], tmp_path: Path
) -> None:
    path = make().save(tmp_path / "m.onnx")
    predicted = tuple(predict_size(path, *each).file_bytes for each in TARGETS[: len(sizes)])
    assert predicted == tuple(pytest.approx(size, rel=0.07) for size in sizes)


@pytest.mark.parametrize("beside", [True, False])
def test_means_of_whole_blocks_stay_in_a_row_where_the_map_is_read_again(
    beside: bool, tmp_path: Path
) -> None:
    """With a gate the compiler puts 256 channels of 16x16 in a row; without, every channel is a task."""
    network = Network(1, 16, 16, 16).conv(16, 256, (1, 1)).add("Relu")
    read = network.value
    network.add("ReduceMean", axes=[3], keepdims=1).add("ReduceMean", axes=[2], keepdims=1)
    if beside:
        network.conv(256, 64, (1, 1)).add("Relu").conv(64, 256, (1, 1)).add("Sigmoid").add("Mul", read)
    path = network.conv(256, 8, (1, 1)).save(tmp_path / "m.onnx")
    size = 155_116 if beside else 123_690
    assert predict_size(path, "rk3588", "fp16").file_bytes == pytest.approx(size, rel=0.06)


@pytest.mark.parametrize(("dtype", "size"), [("fp16", 45_616), ("int8", 43_914)])
def test_a_pooling_step_of_two_rows_is_shared_by_two_cores(dtype: Dtype, size: int, tmp_path: Path) -> None:
    network = Network(1, 8, 64, 64).conv(8, 32, (1, 1)).add("GlobalAveragePool").conv(32, 8, (1, 1))
    path = network.save(tmp_path / "m.onnx")
    assert predict_size(path, "rk3588", dtype).file_bytes == pytest.approx(size, rel=0.05)


@pytest.mark.parametrize(
    ("channels", "size", "file_bytes"),
    [
        (32, (8, 8), 22_025),
        (64, (8, 8), 24_585),
        (128, (8, 8), 29_706),
        (480, (8, 8), 57_866),
        (480, (16, 16), 63_182),
        (480, (7, 7), 17_546),
    ],
)
def test_an_output_of_many_channels_is_put_in_order_four_at_a_time(
    tmp_path: Path, channels: int, size: tuple[int, int], file_bytes: int
) -> None:
    path = Network(1, 4, *size).conv(4, channels, (1, 1)).add("Relu").save(tmp_path / "x.onnx")
    assert predict_size(path, "rk3568", "int8").file_bytes == pytest.approx(file_bytes, rel=0.07)
