"""The rewrites: what they do to a graph, and that onnxruntime sees no difference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from onnx_networks import Network, grouped
from rkbench.onnx import FixReport
from rkbench.onnx import fix as fix_file
from rkbench.onnx.rewrites.regroup import block_diagonal

CLOSE = 1e-5


def fix(network: Network, folder: Path, target: str = "rk3588", dtype: str = "fp16") -> FixReport:
    """Save the network, fix it into `fixed.onnx`."""
    path = network.save(folder / "model.onnx")
    return fix_file(path, target, dtype, folder / "fixed.onnx")


def node_of(folder: Path, name: str) -> onnx.NodeProto:
    """Return a node of `fixed.onnx`."""
    (node,) = [node for node in onnx.load(folder / "fixed.onnx").graph.node if node.name == name]
    return node


def group_of(folder: Path, name: str = "target") -> int:
    """Return the groups of a convolution of `fixed.onnx`."""
    groups = {attribute.name: attribute.i for attribute in node_of(folder, name).attribute}
    return int(groups["group"])


def is_exact(report: FixReport) -> bool:
    """Return whether the report says that onnxruntime found no difference beyond rounding."""
    return report.verification is not None and report.verification.relative_difference < CLOSE


def test_block_diagonal_weights_have_zeros_where_no_weight_was() -> None:
    weights = np.arange(1, 9, dtype="float32").reshape(4, 2, 1, 1)
    merged = block_diagonal(weights, groups=4, factor=2)
    assert merged[:, :, 0, 0].tolist() == [[1, 2, 0, 0], [0, 0, 3, 4], [5, 6, 0, 0], [0, 0, 7, 8]]


def strided(channels: int, per_group: int) -> Network:
    return _only(Network(1, channels, 8, 8), channels, per_group, (3, 3), strides=[2, 2])


def dilated(channels: int, per_group: int) -> Network:
    return _only(Network(1, channels, 16, 16), channels, per_group, (3, 3), dilations=[2, 2])


def one_dimensional(channels: int, per_group: int) -> Network:
    return _only(Network(1, channels, 32), channels, per_group, (3,))


def without_bias(channels: int, per_group: int) -> Network:
    return _only(Network(1, channels, 8, 8), channels, per_group, (3, 3), bias=False)


def _only(
    network: Network, channels: int, per_group: int, kernel: tuple[int, ...], **options: Any
) -> Network:
    return network.conv(channels, channels, kernel, channels // per_group, name="target", **options)


@pytest.mark.parametrize("make", [grouped, strided, dilated, one_dimensional, without_bias])
def test_regrouping_is_exact(tmp_path: Path, make: Callable[[int, int], Network]) -> None:
    report = fix(make(256, 4), tmp_path)
    assert is_exact(report)
    assert group_of(tmp_path) < 64


def test_more_outputs_than_inputs_per_group_are_regrouped_exactly(tmp_path: Path) -> None:
    network = Network(1, 128, 8, 8).conv(128, 256, (3, 3), 32, name="target")
    report = fix(network, tmp_path)
    assert is_exact(report)
    assert node_of(tmp_path, "target").op_type == "Conv"


def test_only_groups_that_the_target_makes_dense_are_changed(tmp_path: Path) -> None:
    network = grouped(512, 4).conv(512, 512, (3, 3), 4, name="large groups")
    assert [change.node for change in fix(network, tmp_path).changes] == ["target"]
    assert group_of(tmp_path, "large groups") == 4


def test_names_opset_and_metadata_are_kept(tmp_path: Path) -> None:
    fix(grouped(256, 4), tmp_path)
    before, after = onnx.load(tmp_path / "model.onnx"), onnx.load(tmp_path / "fixed.onnx")
    assert [node.name for node in after.graph.node] == [node.name for node in before.graph.node]
    assert [t.name for t in after.graph.initializer] == [t.name for t in before.graph.initializer]
    assert after.graph.input == before.graph.input
    assert after.graph.output == before.graph.output
    assert after.opset_import == before.opset_import
    assert (after.ir_version, after.producer_name) == (8, "tests")
    assert [(prop.key, prop.value) for prop in after.metadata_props] == [("author", "tests")]


def test_a_symbolic_batch_stays_symbolic(tmp_path: Path) -> None:
    network = Network("N", 256, 8, 8).conv(256, 256, (3, 3), 64, name="target")
    fix(network, tmp_path)
    (value,) = onnx.load(tmp_path / "fixed.onnx").graph.input
    assert value.type.tensor_type.shape.dim[0].dim_param == "N"


def test_weights_that_two_convolutions_share_are_regrouped_for_both(tmp_path: Path) -> None:
    network = Network(1, 256, 8, 8)
    shared = network.weights("shared", 256, 4, 3, 3)
    for name in ("a", "b"):
        network.conv(256, 256, (3, 3), 64, name=name, weights=shared).add("Relu")
    report = fix(network, tmp_path)
    assert is_exact(report)
    assert group_of(tmp_path, "a") == group_of(tmp_path, "b") < 64


def test_weights_of_a_constant_node_are_regrouped(tmp_path: Path) -> None:
    network = Network(1, 256, 8, 8)
    weights = network.random.standard_normal((256, 4, 3, 3)).astype("float32")
    tensor = numpy_helper.from_array(weights, "made")
    network.nodes.append(helper.make_node("Constant", [], ["made"], name="constant", value=tensor))
    network.conv(256, 256, (3, 3), 64, name="target", weights="made")
    assert is_exact(fix(network, tmp_path))
    assert "constant" not in [node.name for node in onnx.load(tmp_path / "fixed.onnx").graph.node]


def test_weights_that_are_an_input_too_leave_the_input_alone(tmp_path: Path) -> None:
    network = Network(1, 256, 8, 8).conv(256, 256, (3, 3), 64, name="target")
    tensor = network.initializers[0]
    network.extra_inputs = [helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))]
    assert is_exact(fix(network, tmp_path))
    after = onnx.load(tmp_path / "fixed.onnx")
    assert [value.name for value in after.graph.input] == ["x", "target_w"]


def test_weights_that_nodes_compute_are_stored_and_regrouped(tmp_path: Path) -> None:
    network = Network(1, 256, 8, 8)
    half = network.constant("half", np.float32(0.5).reshape(()))
    weights = network.weights("weights", 256, 4, 3, 3)
    network.nodes.append(helper.make_node("Mul", [weights, half], ["made"], name="scale"))
    network.conv(256, 256, (3, 3), 64, name="target", weights="made")
    report = fix(network, tmp_path)
    assert [change.rewrite for change in report.changes] == ["regroup"]
    assert is_exact(report)


def test_weights_that_are_random_are_skipped_with_a_word(tmp_path: Path) -> None:
    network = Network(1, 256, 8, 8)
    random = helper.make_node("RandomNormal", [], ["made"], name="random", shape=[256, 4, 3, 3])
    network.nodes.append(random)
    network.conv(256, 256, (3, 3), 64, name="target", weights="made")
    report = fix(network, tmp_path)
    assert report.written is None
    assert [(s.node, s.reason) for s in report.skipped] == [
        ("target", "its weights are computed by nodes, not stored")
    ]


def test_a_quantized_graph_is_skipped_with_a_word(tmp_path: Path) -> None:
    network = Network(1, 256, 8, 8)
    scale = network.constant("scale", np.float32(0.1).reshape(()))
    zero = network.constant("zero", np.zeros((), "int8"))
    network.add("QuantizeLinear", scale, zero).add("DequantizeLinear", scale, zero)
    report = fix(network.conv(256, 256, (3, 3), 64, name="target"), tmp_path, dtype="int8")
    assert report.written is None
    assert report.skipped[0].reason == "the graph is quantized already (QDQ): fix the float one"


def multiplier(factor: int = 2) -> Network:
    """Return a depthwise convolution with `factor` outputs a channel behind a 1x1."""
    network = Network(1, 4, 8, 8).conv(4, 64, (1, 1)).add("Relu")
    return network.conv(64, 64 * factor, (3, 3), 64, name="target")


def normalized(network: Network, channels: int) -> Network:
    names = [network.weights(f"bn_{part}", channels) for part in ("scale", "shift", "mean")]
    variance = network.constant("bn_variance", np.linspace(0.5, 2, channels, dtype="float32"))
    return network.add("BatchNormalization", *names, variance)


def with_convolutions(factor: int) -> Network:
    channels = 64 * factor
    network = normalized(multiplier(factor).add("Relu"), channels)
    network.add("Mul", network.weights("per_channel", 1, channels, 1, 1))
    return network.conv(channels, channels, (3, 3), channels, name="after").conv(channels, 8, (1, 1))


def with_classifier(factor: int) -> Network:
    network = multiplier(factor).add("GlobalAveragePool").add("Flatten", axis=1)
    return network.add("Gemm", network.weights("fc", 10, 64 * factor), network.weights("fc_b", 10), transB=1)


@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize("make", [with_convolutions, with_classifier])
def test_a_depthwise_multiplier_becomes_plain_depthwise_convolutions(
    tmp_path: Path, make: Callable[[int], Network], factor: int
) -> None:
    report = fix(make(factor), tmp_path)
    assert is_exact(report)
    assert {change.rewrite for change in report.changes} - {"pooled_average"} == {"depthwise_multiplier"}
    assert group_of(tmp_path) == group_of(tmp_path, "target_part1") == 64
    assert report.after.weight_bytes < report.before.weight_bytes / 3


def test_a_multiplier_whose_order_cannot_be_carried_on_is_regrouped(tmp_path: Path) -> None:
    report = fix(multiplier(4), tmp_path, target="rk3568")
    assert is_exact(report)
    assert [change.rewrite for change in report.changes] == ["regroup"]


def test_an_order_is_carried_through_an_add_of_two_maps_that_both_have_it(tmp_path: Path) -> None:
    network = multiplier(4)
    one = network.value
    network.add("Relu").add("Add", one).conv(256, 8, (1, 1))
    report = fix(network, tmp_path, target="rk3568")
    assert is_exact(report)
    assert [change.rewrite for change in report.changes] == ["depthwise_multiplier"]


def test_a_concat_ends_the_carrying(tmp_path: Path) -> None:
    network = multiplier(4)
    one = network.value
    network.add("Relu").add("Concat", one, axis=1).conv(512, 8, (1, 1))
    assert [change.rewrite for change in fix(network, tmp_path, target="rk3568").changes] == ["regroup"]


def normed(*shape: int, row: bool = False) -> Network:
    """Return a norm of each channel between two convolutions, of the map as it is or made one row for it."""
    network = Network(1, 8, *shape[1:]).conv(8, shape[0], (1, 1))
    if row:
        network.add("Reshape", network.constant("row", np.array([1, shape[0], -1])))
    ones = network.constant("ones", np.linspace(1, 2, shape[0], dtype="float32"))
    network.add("InstanceNormalization", ones, network.constant("shift", np.ones(shape[0], "float32")))
    if row:
        network.add("Reshape", network.constant("map", np.array([1, *shape])))
    return network.conv(shape[0], 8, (1, 1))


@pytest.mark.parametrize("dtype", ["fp16", "int8"])
def test_a_norm_of_a_map_that_was_made_one_row_is_written_as_averages_too(dtype: str, tmp_path: Path) -> None:
    report = fix(normed(16, 48, 48, row=True), tmp_path, "rk3588", dtype)
    assert "pooled_norm" in {change.rewrite for change in report.changes}
    assert is_exact(report)


@pytest.mark.parametrize("target", ["rk3588", "rk3568"])
@pytest.mark.parametrize("dtype", ["fp16", "int8"])
def test_the_averages_of_a_norm_are_pools(target: str, dtype: str, tmp_path: Path) -> None:
    """In two means SegResNet grew in int8 from 1,339,021 to 2,745,677 bytes; with pools it is smaller."""
    report = fix(normed(64, 128, 128), tmp_path, target, dtype)
    assert {change.rewrite for change in report.changes} == {"pooled_norm"}
    made = Counter(node.op_type for node in onnx.load(tmp_path / "fixed.onnx").graph.node)
    assert (made["AveragePool"], made["GlobalAveragePool"], made["ReduceMean"]) == (6, 2, 0)
    assert is_exact(report)


@pytest.mark.parametrize(("size", "found"), [(32, 1), (24, 0)])  # 141,803 -> 102,315 bytes; not measured
def test_a_norm_of_a_small_map_of_one_channel_stays(size: int, found: int, tmp_path: Path) -> None:
    assert len(fix(normed(1, size, size), tmp_path, "rk3588", "fp16").changes) == found


def shuffled_pixels(mode: str, *, bias: bool) -> Network:
    network = Network(1, 8, 12, 12).conv(8, 16, (1, 1)).add("Relu").conv(16, 32, (1, 1), bias=bias)
    return network.add("DepthToSpace", blocksize=2, mode=mode).conv(8, 8, (1, 1))


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_a_pointwise_convolution_and_depth_to_space_become_a_transposed_one(
    mode: str, tmp_path: Path
) -> None:
    report = fix(shuffled_pixels(mode, bias=False), tmp_path)
    assert [change.rewrite for change in report.changes] == ["pixel_shuffle"]
    assert is_exact(report)
    kinds = [node.op_type for node in onnx.load(tmp_path / "fixed.onnx").graph.node]
    assert kinds == ["Conv", "Relu", "ConvTranspose", "Conv"]


def test_pixels_of_a_block_that_have_their_own_biases_are_not_joined(tmp_path: Path) -> None:
    assert fix(shuffled_pixels("CRD", bias=True), tmp_path).changes == ()


def test_pixels_of_a_block_that_share_a_bias_are_joined(tmp_path: Path) -> None:
    network = shuffled_pixels("CRD", bias=True)
    shared = np.repeat(np.arange(8, dtype="float32"), 4)
    for place, tensor in enumerate(network.initializers):
        if tensor.dims == [32]:
            network.initializers[place] = numpy_helper.from_array(shared, tensor.name)
    report = fix(network, tmp_path)
    assert [change.rewrite for change in report.changes] == ["pixel_shuffle"]
    assert is_exact(report)
