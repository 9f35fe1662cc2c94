"""Rules that were measured on small networks of their own: from which size on a rewrite pays, and where."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from onnx_networks import Network
from onnx_units import called_twice
from rkbench.onnx import fix, predict_size
from rkbench.onnx.rewrites import chosen


def rewrites(network: Network, folder: Path, target: str = "rk3588", dtype: str = "fp16") -> list[str]:
    """Return the rewrites that were applied; each result was verified with onnxruntime."""
    report = fix(network.save(folder / "x.onnx"), target, dtype, folder / "fixed.onnx")
    return [change.rewrite for change in report.changes]


@pytest.mark.parametrize(("window", "found"), [(8, ["pool_in_steps"]), (4, [])])
def test_wide_averages_are_taken_in_steps_from_8_pixels_on(
    tmp_path: Path, window: int, found: list[str]
) -> None:
    network = Network(1, 16, 64, 64)
    network.add("AveragePool", kernel_shape=[window] * 2, strides=[window] * 2)
    assert rewrites(network, tmp_path) == found


@pytest.mark.parametrize(("patch", "found"), [(8, ["patchify"]), (4, [])])
def test_patches_become_channels_from_8_pixels_on(tmp_path: Path, patch: int, found: list[str]) -> None:
    network = Network(1, 3, 64, 64)
    weights = network.weights("w", 32, 3, patch, patch)
    network.add("Conv", weights, kernel_shape=[patch] * 2, strides=[patch] * 2)
    assert rewrites(network, tmp_path) == found


@pytest.mark.parametrize(
    ("kernel", "strides", "pads", "found"),
    [
        ((2, 8, 8), (2, 8, 8), (0,) * 6, ["patchify"]),
        ((4, 16, 16), (4, 16, 16), (0,) * 6, ["patchify"]),
        ((4, 8, 8), (4, 8, 8), (0,) * 6, []),
        ((1, 4, 4), (1, 4, 4), (0,) * 6, []),
        ((2, 8, 16), (2, 8, 16), (0,) * 6, []),
        ((2, 8, 8), (1, 8, 8), (0,) * 6, []),
        ((2, 8, 8), (2, 8, 8), (1, 0, 0, 1, 0, 0), []),
    ],
)
def test_patches_of_three_axes_become_channels(
    tmp_path: Path,
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    pads: tuple[int, ...],
    found: list[str],
) -> None:
    network = Network(1, 3, 8, 32, 48)
    weights, bias = network.weights("w", 16, 3, *kernel), network.weights("b", 16)
    network.add("Conv", weights, bias, kernel_shape=list(kernel), strides=list(strides), pads=list(pads))
    report = fix(network.save(tmp_path / "x.onnx"), "rk3588", "fp16", tmp_path / "fixed.onnx")
    assert [change.rewrite for change in report.changes] == found
    assert not found or (report.verification and report.verification.relative_difference < 1e-5)


def test_weights_behind_an_identity_are_shared(tmp_path: Path) -> None:
    report = fix(called_twice(tmp_path), "rk3588", "fp16", tmp_path / "fixed.onnx")
    assert [change.rewrite for change in report.changes] == ["shared_weights"]
    assert report.verification is not None
    assert report.verification.relative_difference == 0
    fixed = predict_size(tmp_path / "fixed.onnx", "rk3588", "fp16")
    assert [node.weight_bytes for node in fixed.nodes if node.type == "Conv"] == [73_728, 0]


@pytest.mark.parametrize(("groups", "found"), [(1, ["shared_weights"]), (64, []), (4, []), (2, [])])
def test_groups_of_several_channels_do_not_share_their_weights(
    tmp_path: Path, groups: int, found: list[str]
) -> None:
    """The converter dies of it; those of one channel hold less than is shared."""
    network = Network(1, 64, 16, 16)
    weights = network.weights("w", 64, 64 // groups, 3, 3)
    twin = network.weights("twin", 64, 64 // groups, 3, 3)
    for name in (weights, twin):
        network.add("Conv", name, kernel_shape=[3, 3], pads=[1] * 4, group=groups).add("Relu")
    path = network.save(tmp_path / "x.onnx")
    model = onnx.load(path)
    first, second = (each for each in model.graph.initializer if each.name in (weights, twin))
    second.raw_data = first.raw_data
    onnx.save(model, path)
    report = fix(path, "rk3588", "fp16", tmp_path / "fixed.onnx")
    assert [change.rewrite for change in report.changes] == found


HEIGHT_FIRST, WIDTH_FIRST = [2, 3], [3, 2]


@pytest.mark.parametrize(
    ("target", "dtype", "shape", "read_again", "axes"),
    [
        ("rk3568", "fp16", (64, 14, 14), False, HEIGHT_FIRST),
        ("rk3568", "int8", (64, 16, 16), True, HEIGHT_FIRST),
        ("rk3568", "fp16", (512, 5, 5), True, None),
        ("rk3588", "fp16", (64, 14, 14), False, None),
        ("rk3588", "fp16", (256, 14, 14), False, HEIGHT_FIRST),
        ("rk3588", "int8", (320, 7, 7), False, None),
        ("rk3588", "fp16", (320, 7, 7), False, HEIGHT_FIRST),
        ("rk3588", "fp16", (128, 32, 64), False, HEIGHT_FIRST),
        ("rk3588", "fp16", (128, 32, 64), True, WIDTH_FIRST),
        ("rk3588", "fp16", (32, 8, 8), True, None),
        ("rk3588", "int8", (32, 32, 40), True, None),
        ("rk3588", "int8", (128, 32, 64), True, WIDTH_FIRST),
        ("rk3588", "int8", (64, 32, 32), True, None),  # 75,084 -> 76,940
        ("rk3588", "fp16", (16, 16, 16), True, None),  # grew by 8.6 %
        ("rk3588", "fp16", (32, 64, 64), True, WIDTH_FIRST),
        ("rk3588", "int8", (32, 64, 64), True, None),  # RCAN grew by 1,024 bytes
        ("rk3568", "fp16", (10, 8, 8), False, None),  # NiN grew by 1,088 bytes
        ("rk3568", "int8", (64, 7, 7), True, None),
        ("rk3568", "int8", (128, 7, 7), True, HEIGHT_FIRST),
    ],
)
def test_a_global_average_is_two_means_in_the_order_that_was_measured(
    tmp_path: Path,
    target: str,
    dtype: str,
    shape: tuple[int, int, int],
    read_again: bool,
    axes: list[int] | None,
) -> None:
    network = Network(1, 16, *shape[1:]).conv(16, shape[0], (1, 1))
    source = network.value
    network.add("GlobalAveragePool", name="mean")
    if read_again:
        network.add("Mul", source)
    path = network.save(tmp_path / "x.onnx")
    fix(path, target, dtype, tmp_path / "fixed.onnx", rewrites=chosen(["two_means"]))
    written = onnx.load(tmp_path / "fixed.onnx").graph.node if (tmp_path / "fixed.onnx").exists() else []
    means = [node for node in written if node.op_type == "ReduceMean"]
    found = [attribute.ints[0] for node in means for attribute in node.attribute if attribute.name == "axes"]
    assert found == (axes or [])


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("axes", [[2, 3], [-1, -2]])
def test_a_mean_over_both_sides_is_a_global_average(tmp_path: Path, keepdims: int, axes: list[int]) -> None:
    network = Network(1, 16, 14, 14).conv(16, 480, (1, 1))
    network.add("ReduceMean", name="mean", axes=axes, keepdims=keepdims)
    if keepdims:
        network.add("Flatten", axis=1)
    network.add("Gemm", network.weights("head", 480, 10), network.weights("bias", 10))
    assert rewrites(network, tmp_path) == ["pooled_average"]


@pytest.mark.parametrize("axes", [[1, 2], [3], [1, 2, 3]])
def test_means_over_other_axes_are_left(tmp_path: Path, axes: list[int]) -> None:
    network = Network(1, 16, 14, 14).conv(16, 480, (1, 1)).add("ReduceMean", axes=axes, keepdims=1)
    assert rewrites(network, tmp_path) == []


@pytest.mark.parametrize("bias", [None, 0.0, 1.0])
def test_zeros_behind_an_identity_are_given_to_their_product_as_they_are_stored(
    tmp_path: Path, bias: float | None
) -> None:
    network = Network(1, 160, 28, 28)
    network.add("Sigmoid", name="gate")
    network.value = network.constant("zeros", np.zeros((1, 160, 1, 1), "float32"))
    network.add("Identity", name="handed").add("Mul", "gate_out", name="product")
    if bias is not None:
        network.add("Add", network.constant("bias", np.full((1, 160, 1, 1), bias, "float32")), name="moved")
    network.add("Add", "x")
    assert rewrites(network, tmp_path) == ["zero_product"]
    before, after = (
        predict_size(tmp_path / name, "rk3588", "fp16").weight_bytes for name in ("x.onnx", "fixed.onnx")
    )
    assert before - after == 160 * 28 * 28 * 2


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_bilinear_enlargement_by_a_whole_factor_is_a_transposed_convolution(
    tmp_path: Path, factor: int
) -> None:
    network = Network(1, 8, 7, 9).conv(8, 8)
    scales = network.constant("scales", np.array([1, 1, factor, factor], "float32"))
    network.add("Resize", "", scales, mode="linear", coordinate_transformation_mode="half_pixel").conv(8, 8)
    assert rewrites(network, tmp_path) == ["bilinear"]


@pytest.mark.parametrize(
    ("target", "dtype", "before", "after"),
    [
        ("rk3588", "fp16", 204_916, 193_844),
        ("rk3588", "int8", 135_182, 114_510),
        ("rk3568", "fp16", 262_196, 246_324),
        ("rk3568", "int8", 205_134, 183_950),
    ],
)
def test_prediction_sees_what_an_enlargement_gains(
    tmp_path: Path, target: str, dtype: str, before: int, after: int
) -> None:
    """Sizes of conversions: 64 channels of 14x14 by 4, between two 3x3."""
    network = Network(1, 64, 14, 14).conv(64, 64)
    scales = network.constant("scales", np.array([1, 1, 4, 4], "float32"))
    network.add("Resize", "", scales, mode="linear", coordinate_transformation_mode="half_pixel").conv(64, 64)
    report = fix(network.save(tmp_path / "x.onnx"), target, dtype, tmp_path / "out.onnx")
    assert [change.rewrite for change in report.changes] == ["bilinear"]
    assert abs(report.before.file_bytes / before - 1) < 0.13
    assert abs(report.after.file_bytes / after - 1) < 0.06


def test_align_corners_is_another_interpolation(tmp_path: Path) -> None:
    network = Network(1, 8, 7, 9)
    scales = network.constant("scales", np.array([1, 1, 2, 2], "float32"))
    network.add("Resize", "", scales, mode="linear", coordinate_transformation_mode="align_corners")
    assert rewrites(network, tmp_path) == []


def gated(channels: int, side: int) -> Network:
    """Return a map that the mean over its channels gates."""
    network = Network(1, 4, side, side).conv(4, channels, (1, 1)).add("Relu")
    source = network.value
    network.add("ReduceMean", name="mean", axes=[1], keepdims=1).conv(1, 1, (1, 1)).add("Sigmoid")
    return network.add("Mul", source).conv(channels, 4, (1, 1))


@pytest.mark.parametrize(
    ("side", "target", "dtype", "pays"),
    [
        (20, "rk3588", "fp16", True),
        (14, "rk3588", "fp16", False),
        (40, "rk3588", "int8", True),
        (28, "rk3588", "int8", False),
        (14, "rk3568", "fp16", True),
        (7, "rk3568", "fp16", False),
        (7, "rk3568", "int8", True),
    ],
)
def test_a_mean_over_channels_that_gates_a_map_becomes_a_convolution_where_that_was_measured_to_pay(
    tmp_path: Path, side: int, target: str, dtype: str, *, pays: bool
) -> None:
    path = gated(16, side).save(tmp_path / "x.onnx")
    report = fix(path, target, dtype, tmp_path / "fixed.onnx")
    assert ("channel_mean" in [change.rewrite for change in report.changes]) is pays


def test_a_mean_that_begins_a_normalization_is_left_to_the_compiler(tmp_path: Path) -> None:
    network = Network(1, 4, 32, 32).conv(4, 16, (1, 1))
    source = network.value
    network.add("ReduceMean", name="mean", axes=[1], keepdims=1)
    mean, network.value = network.value, source
    network.add("Sub", mean)
    assert rewrites(network, tmp_path) == []


def stack(kind: str, channels: int, *, read_again: bool = False) -> Network:
    """Return two maps that are stacked along a new axis and reduced over it."""
    network = Network(1, 4, 32, 32).conv(4, channels, (1, 1)).add("Relu")
    maps, axis = [network.value], network.constant("axis", np.array([1], "int64"))
    maps.append(network.conv(channels, channels, (3, 3)).value)
    views = []
    for value in maps:
        network.value = value
        views.append(network.add("Unsqueeze", axis).value)
    network.value = views[0]
    network.add("Concat", views[1], name="stack", axis=1)
    joined = network.value
    if kind == "ReduceSum":
        network.add("ReduceSum", axis, name="sum", keepdims=0)
    else:
        network.add("ReduceMean", name="sum", axes=[1], keepdims=0)
    summed = network.value
    if read_again:
        network.value = joined
        network.add("Mul", network.constant("two", np.array(2, "float32"))).add(
            "ReduceMax", axes=[1], keepdims=0
        )
        network.add("Add", summed)
    return network.conv(channels, 4, (1, 1))


@pytest.mark.parametrize("kind", ["ReduceSum", "ReduceMean"])
def test_stacked_maps_that_are_summed_are_added(tmp_path: Path, kind: str) -> None:
    assert rewrites(stack(kind, 32), tmp_path) == ["stacked_sum"]
    kinds = [node.op_type for node in onnx.load(tmp_path / "fixed.onnx").graph.node]
    assert "Concat" not in kinds
    assert kinds.count("Add") == 1
    assert kinds.count("Mul") == (kind == "ReduceMean")


def test_a_stack_that_others_read_too_stays(tmp_path: Path) -> None:
    assert rewrites(stack("ReduceSum", 32, read_again=True), tmp_path) == []


def test_a_mean_of_few_channels_stays(tmp_path: Path) -> None:
    assert rewrites(stack("ReduceMean", 16), tmp_path) == []


@pytest.mark.parametrize(("number", "found"), [(0.5, ["shared_weights"]), (0.25, [])])
def test_weights_that_are_filled_with_the_same_number_are_shared(
    tmp_path: Path, number: float, found: list[str]
) -> None:
    """light_inception_v2 of the onnx package, all 363 twins: 11,566,079 -> 7,471,743 bytes (rk3568 int8)."""
    network = Network(1, 64, 16, 16)
    shape = network.constant("shape", np.array([64, 64, 3, 3]))
    for name, value in (("first", 0.5), ("second", number)):
        filled = numpy_helper.from_array(np.array([value], "float32"))
        network.nodes.append(helper.make_node("ConstantOfShape", [shape], [name], value=filled))
        network.add("Conv", name, kernel_shape=[3, 3], pads=[1] * 4).add("Relu")
    report = fix(network.save(tmp_path / "x.onnx"), "rk3568", "int8", tmp_path / "fixed.onnx")
    assert [change.rewrite for change in report.changes] == found


@pytest.mark.parametrize(("target", "found"), [("rk3568", 0), ("rk3588", 2)])
def test_the_sum_of_stacked_branches_is_not_averaged_in_two_steps_on_one_core(
    tmp_path: Path, target: str, found: int
) -> None:
    """Selective kernels: SK-ResNet-18 grew by 30,528 bytes (rk3568 fp16)."""
    network = Network(1, 16, 28, 28).conv(16, 256, (1, 1))
    network.add("Unsqueeze", network.constant("axis", np.int64([1])))
    network.add("Concat", network.value, axis=1).add(
        "ReduceSum", network.constant("sum", np.int64([1])), keepdims=0
    )
    path = network.add("GlobalAveragePool", name="mean").save(tmp_path / "x.onnx")
    fix(path, target, "fp16", tmp_path / "fixed.onnx", rewrites=chosen(["two_means"]))
    written = onnx.load(tmp_path / "fixed.onnx").graph.node if (tmp_path / "fixed.onnx").exists() else []
    assert sum(node.op_type == "ReduceMean" for node in written) == found
