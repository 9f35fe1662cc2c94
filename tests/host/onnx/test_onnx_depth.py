"""SpaceToDepth in the place of pieces that are stacked, and before strided kernels over one channel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnx_networks import Network
from rkbench.onnx import FixReport, predict_size
from rkbench.onnx import fix as fix_file

CLOSE = 1e-5


def fix(network: Network, folder: Path, target: str = "rk3588", dtype: str = "fp16") -> FixReport:
    path = network.save(folder / "model.onnx")
    return fix_file(path, target, dtype, folder / "fixed.onnx")


def rewritten(report: FixReport) -> list[str]:
    """Return the rewrites that were made, of a network that onnxruntime found equal."""
    if report.changes:
        assert report.verification is not None
        assert report.verification.relative_difference < CLOSE
    return [change.rewrite for change in report.changes]


def kinds(folder: Path) -> list[str]:
    return [node.op_type for node in onnx.load(folder / "fixed.onnx").graph.node]


def sliced(channels: int, block: int, order: tuple[int, ...], *, size: int = 16) -> Network:
    """Return a network that stacks every `block`-th pixel, the pieces in an order, before a convolution."""
    network = Network(1, channels, size, size).conv(channels, channels, (3, 3)).add("Relu")
    whole, pieces = network.value, []
    for place in order:
        starts = network.constant(f"starts{place}", np.array(divmod(place, block)))
        ends = network.constant(f"ends{place}", np.array([size, size]))
        axes = network.constant(f"axes{place}", np.array([2, 3]))
        steps = network.constant(f"steps{place}", np.array([block, block]))
        network.value = whole
        pieces.append(network.add("Slice", starts, ends, axes, steps).value)
    network.value = pieces[0]
    return network.add("Concat", *pieces[1:], axis=1, name="stack")


def folded(channels: int, block: int, turned: list[int], *, size: int = 16) -> Network:
    """Return a network that makes channels of a block's pixels by Reshape, Transpose, Reshape."""
    side, network = size // block, Network(1, channels, size, size)
    cut = network.constant("cut", np.array([1, channels, side, block, side, block]))
    joined = network.constant("joined", np.array([1, channels * block**2, side, side]))
    return network.add("Reshape", cut).add("Transpose", perm=turned).add("Reshape", joined, name="stack")


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 1, 3), (3, 1, 0, 2)])
def test_pieces_that_are_stacked_become_one_node(tmp_path: Path, order: tuple[int, ...]) -> None:
    network = sliced(3, 2, order).conv(12, 8, (3, 3)).add("Relu")
    assert rewritten(fix(network, tmp_path)) == ["space_to_depth"]
    assert kinds(tmp_path) == ["Conv", "Relu", "SpaceToDepth", "Conv", "Relu"]


@pytest.mark.parametrize(("target", "dtype"), [("rk3588", "int8"), ("rk3568", "fp16"), ("rk3568", "int8")])
def test_a_fold_by_reshapes_becomes_one_node(tmp_path: Path, target: str, dtype: str) -> None:
    network = folded(1, 8, [0, 1, 3, 5, 2, 4], size=64).conv(64, 64, (1, 1)).add("Relu")
    assert rewritten(fix(network, tmp_path, target, dtype)) == ["space_to_depth"]


def test_windows_of_one_pixel_after_another_are_seen_too(tmp_path: Path) -> None:
    network = Network(1, 1, 8, 8).conv(1, 1, (3, 3)).add("Relu")
    axis = network.constant("axis", np.array([3]))
    whole, rows = network.value, []
    for first in range(0, 8, 2):
        starts, ends = (
            network.constant(f"{what}{first}", np.array([at]))
            for what, at in (("from", first), ("to", first + 2))
        )
        network.value = whole
        two = network.constant(f"two{first}", np.array([2]))
        rows.append(network.add("Slice", starts, ends, two).add("Unsqueeze", axis).value)
    network.value = rows[0]
    network.add("Concat", *rows[1:], axis=3).add("Transpose", perm=[0, 1, 3, 2, 4])
    # 1, 1, rows of windows, rows of a window, columns
    cut = network.constant("cut", np.array([1, 4, 2, 4, 2]))
    joined = network.constant("joined", np.array([1, 4, 4, 4]))
    network.add("Reshape", cut).add("Transpose", perm=[0, 2, 4, 1, 3]).add("Reshape", joined)
    assert rewritten(fix(network.conv(4, 8, (1, 1)), tmp_path)) == ["space_to_depth"]


def test_channels_in_another_order_want_a_convolution_behind_them(tmp_path: Path) -> None:
    assert rewritten(fix(sliced(3, 2, (0, 2, 1, 3)).add("Relu").conv(12, 8), tmp_path)) == []
    assert rewritten(fix(sliced(3, 2, (0, 1, 2, 3)).add("Relu").conv(12, 8), tmp_path)) == ["space_to_depth"]


def test_a_piece_that_others_read_too_is_left(tmp_path: Path) -> None:
    network = sliced(3, 2, (0, 1, 2, 3))
    piece = network.nodes[2].output[0]
    network.conv(12, 3, (3, 3)).add("Add", piece)
    assert rewritten(fix(network, tmp_path)) == []


@pytest.mark.parametrize("turned", [[0, 1, 2, 4, 3, 5], [0, 1, 5, 3, 2, 4][::-1]])
def test_other_orders_of_a_map_are_left(tmp_path: Path, turned: list[int]) -> None:
    network = folded(2, 2, turned, size=8).conv(8, 8, (1, 1))
    assert "space_to_depth" not in rewritten(fix(network, tmp_path))


def rolled(
    size: int,
    windows: int,
    shift: int,
    order: tuple[int, ...] = (1, 2),
    *,
    lone: bool = False,
    behind: str = "",
) -> Network:
    """Return a network of windows of which a map is made, channels last, that is rolled over both sides.

    The windows are maps before; with `lone` they become the map's by one Reshape."""
    count, side, channels = windows**2, size // windows, 8
    network = Network(count, side * side, channels)
    network.add("MatMul", network.weights("projection", channels, channels))
    if not lone:
        network.add("Reshape", network.constant("maps", np.array([count, side, side, channels])))
    parts = network.constant("parts", np.array([1, windows, windows, side, side, channels]))
    whole = network.constant("whole", np.array([1, size, size, channels]))
    network.add("Reshape", parts).add("Transpose", perm=[0, 1, 3, 2, 4, 5]).add("Reshape", whole)
    for axis in order:
        value, pieces = network.value, []
        for start, end in ((size - shift, 2**62), (0, size - shift)):
            ends = [
                network.constant(f"at{axis}{start}{each}", np.array([each])) for each in (start, end, axis)
            ]
            network.value = value
            pieces.append(network.add("Slice", *ends).value)
        network.value = pieces[0]
        network.add("Concat", pieces[1], axis=axis)
    positions = network.constant("positions", np.array([1, size * size, channels]))
    network.add("Reshape", positions)
    if behind:
        network.add(behind, *((network.weights("vector", channels),) if behind == "Mul" else ()))
    return network.add("MatMul", network.weights("last", channels, channels))


ROLLED_SIZES = {
    ("rk3588", "fp16"): 2_208_626,
    ("rk3588", "int8"): 1_103_180,
    ("rk3568", "fp16"): 2_287_602,
    ("rk3568", "int8"): 1_123_788,
}
"""Of 32x32 positions in 16 windows, toolkit 2.5.0: mostly the kernel of 1,024 x 1,024."""


@pytest.mark.parametrize(("target", "dtype"), ROLLED_SIZES)
def test_a_roll_of_windows_is_predicted_with_its_kernel(tmp_path: Path, target: str, dtype: str) -> None:
    predicted = predict_size(rolled(32, 4, 4).save(tmp_path / "x.onnx"), target, dtype)
    assert predicted.file_bytes == pytest.approx(ROLLED_SIZES[target, dtype], rel=0.1)
    assert "rolled back, as a dense kernel over all positions" in {node.becomes for node in predicted.bloated}


@pytest.mark.parametrize(
    "network",
    [
        rolled(32, 4, 4, lone=True),
        rolled(32, 4, 4, (1,)),
        rolled(32, 4, 4, behind="Relu"),
        rolled(32, 4, 4, behind="Mul"),
        rolled(32, 1, 4),
    ],
    ids=["one Reshape", "one side", "an activation behind it", "a vector behind it", "one window"],
)
def test_rolls_that_the_compiler_keeps_as_copies_have_no_kernel(tmp_path: Path, network: Network) -> None:
    """Converted: 34 to 119 kB, where a kernel of 1,024 positions alone takes 2.1 MB."""
    assert predict_size(network.save(tmp_path / "x.onnx"), "rk3588", "fp16").file_bytes < 200_000
    assert rewritten(fix(network, tmp_path)) == []


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_a_map_of_windows_is_rolled_with_its_channels_first(tmp_path: Path, order: tuple[int, int]) -> None:
    assert rewritten(fix(rolled(16, 2, 3, order), tmp_path)) == ["rolled_map"]
    made = kinds(tmp_path)
    assert made.count("Slice") == 4
    assert made.count("Transpose") == 3


def test_a_map_of_one_window_is_rolled_as_it_is(tmp_path: Path) -> None:
    assert rewritten(fix(rolled(16, 1, 3), tmp_path)) == []


def stem(kernel: tuple[int, int], stride: int, pads: list[int], *, channels: int = 1) -> Network:
    network = Network(1, channels, 32, 48)
    weights = network.weights("stem_w", 16, channels, *kernel)
    return network.add(
        "Conv",
        weights,
        network.weights("stem_b", 16),
        name="stem",
        kernel_shape=list(kernel),
        strides=[stride, stride],
        pads=pads,
    ).add("Relu")


@pytest.mark.parametrize(
    ("kernel", "stride", "pads", "short"),
    [
        ((7, 7), 2, [3, 3, 3, 3], [4, 4]),
        ((3, 3), 2, [1, 1, 1, 1], [2, 2]),
        ((5, 4), 2, [2, 1, 2, 2], [3, 3]),
        ((16, 16), 10, [0, 0, 0, 0], [8, 8]),
        ((8, 8), 4, [0, 0, 0, 0], [4, 4]),
        ((3, 3), 2, [0, 0, 1, 1], [2, 2]),
    ],
)
@pytest.mark.parametrize("dtype", ["fp16", "int8"])
def test_a_strided_kernel_over_one_channel_is_halved(
    tmp_path: Path, kernel: tuple[int, int], stride: int, pads: list[int], short: list[int], dtype: str
) -> None:
    assert rewritten(fix(stem(kernel, stride, pads), tmp_path, dtype=dtype)) == ["halved_stride"]
    graph = onnx.load(tmp_path / "fixed.onnx").graph
    (weights,) = [each for each in graph.initializer if len(each.dims) == 4]
    assert list(weights.dims) == [16, 4, *short]
    assert numpy_helper.to_array(weights).any()


@pytest.mark.parametrize(
    "network",
    [
        stem((7, 7), 2, [3, 3, 3, 3], channels=3),  # an image: rk3568 grows in fp16
        stem((7, 7), 3, [3, 3, 3, 3]),
        stem((2, 2), 2, [0, 0, 0, 0]),
    ],
)
def test_other_strided_kernels_are_left(tmp_path: Path, network: Network) -> None:
    assert rewritten(fix(network, tmp_path)) == []
