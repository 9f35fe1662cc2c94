"""Rules read from segmentation networks, of toolkit 2.5.0: what follows a sum, what the CPU enlarges, rims.

Sizes of the files are held by `test_onnx_measured_rules.py` and the tables of docs/prediction.md.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_networks import Network
from rkbench.onnx import open_onnx, predict_size
from rkbench.onnx.constants import constant_values
from rkbench.onnx.fusion import FusedLayer, Fuser
from rkbench.onnx.fusion.effort import efforts


def layers(network: Network, folder: Path) -> list[FusedLayer]:
    """Return the layers of a network that take commands."""
    graph = open_onnx(network.save(folder / "x.onnx")).graph
    return [layer for layer in Fuser(graph, constant_values(graph)).run().layers if layer.kind != "free"]


def kinds(network: Network, folder: Path) -> list[str]:
    """Return what they are."""
    return [layer.kind for layer in layers(network, folder)]


def prelu(network: Network, channels: int) -> Network:
    """Append a PRelu of each channel."""
    return network.add("PRelu", network.weights(f"slope{len(network.nodes)}", channels, 1, 1))


def test_an_activation_behind_a_sum_stays_a_layer_where_one_went_before_it(tmp_path: Path) -> None:
    network = Network(1, 16, 8, 8).conv(16, 16).add("Relu")
    start = network.value
    network.conv(16, 16).add("Relu").add("Add", start).add("Relu")
    assert kinds(network, tmp_path) == ["convolution", "convolution", "map"]


def test_a_prelu_goes_into_a_convolution_alone(tmp_path: Path) -> None:
    alone = prelu(Network(1, 16, 8, 8).conv(16, 16), 16)
    assert kinds(alone, tmp_path) == ["convolution"]
    pooled = Network(1, 16, 8, 8).conv(16, 16).add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    norm = [pooled.weights(name, 16) for name in ("scale", "shift", "mean")]
    pooled.add("BatchNormalization", *norm, pooled.constant("var", np.ones(16, "float32")))
    assert kinds(prelu(pooled, 16), tmp_path) == ["convolution", "pool", "narrow", "map"]


def test_kernels_that_do_not_nest_are_not_merged(tmp_path: Path) -> None:
    network = Network(1, 16, 8, 8).conv(16, 16, (1, 1))
    start = network.value
    network.conv(16, 16, (5, 1), 16)
    tall, network.value = network.value, start
    network.conv(16, 16, (1, 5), 16).add("Add", tall)
    assert kinds(network, tmp_path) == ["convolution"] * 3 + ["map"]


@pytest.mark.parametrize(("side", "weight"), [(7, 49), (14, 49 + 4), (6, 36)])
def test_an_average_over_the_whole_map_is_a_global_one(tmp_path: Path, side: int, weight: int) -> None:
    network = Network(1, 64, side, side).conv(64, 64)
    pool = {"kernel_shape": [side, side], "strides": [1, 1]}
    path = network.add("AveragePool", name="pool", **pool).save(tmp_path / "x.onnx")
    pooled = next(node for node in predict_size(path, "rk3588", "fp16").nodes if node.name == "pool")
    assert pooled.weight_bytes == pytest.approx(64 * weight * 2, abs=64 * 8)


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [((2, 2), (24, 24), "resize"), ((3, 3), (24, 24), "cpu"), ((32, 64), (256, 512), "cpu")],
)
def test_the_cpu_enlarges_between_corners_unless_each_pixel_becomes_as_many(
    tmp_path: Path, before: tuple[int, int], after: tuple[int, int], kind: str
) -> None:
    network = Network(1, 32, *before).conv(32, 32)
    sizes = network.constant("sizes", np.array([1, 32, *after]))
    mode = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}
    network.add("Resize", "", "", sizes, **mode)
    assert kinds(network, tmp_path) == ["convolution", kind]


def test_a_rim_of_more_than_15_pixels_is_a_pad(tmp_path: Path) -> None:
    near = Network(1, 16, 64, 64).conv(16, 16, dilations=[15, 15])
    far = Network(1, 16, 64, 64).conv(16, 16, dilations=[16, 16])
    assert kinds(near, tmp_path) == ["convolution"]
    assert kinds(far, tmp_path) == ["pad", "convolution"]


def test_an_image_that_is_pooled_too_is_turned_by_a_layer_of_its_own(tmp_path: Path) -> None:
    network = Network(1, 3, 32, 32).conv(3, 13, strides=[2, 2])
    first, network.value = network.value, "x"
    network.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2]).add("Concat", first, axis=1)
    assert kinds(network, tmp_path) == ["convolution", "convolution", "pool", "concat"]


def test_zero_that_is_added_is_no_layer(tmp_path: Path) -> None:
    network = Network(1, 16, 8, 8).conv(16, 16).add("Relu")
    network.add("Add", network.constant("zero", np.zeros(1, "float32"))).conv(16, 16)
    assert kinds(network, tmp_path) == ["convolution", "convolution"]
    other = Network(1, 16, 8, 8).conv(16, 16).add("Relu")
    other.add("Add", other.constant("half", np.full(1, 0.5, "float32"))).conv(16, 16)
    assert kinds(other, tmp_path) == ["convolution", "map", "convolution"]


def test_groups_that_are_kept_take_no_activation_with_them(tmp_path: Path) -> None:
    """As in ShuffleNet: a layer of 5,120 bytes behind the Concat of the groups (rk3588)."""
    network = Network(1, 64, 14, 14).conv(64, 64, (1, 1), 2, name="groups")
    plain = layers(network, tmp_path)
    activated = layers(network.add("Relu"), tmp_path)
    sizes = [efforts(found, "rk3588", "fp16")[0].register_bytes for found in (plain, activated)]
    assert sizes[1] - sizes[0] == 5120


@pytest.mark.parametrize("groups", [1, 2])
def test_a_shuffle_right_behind_a_convolution_goes_into_its_filters(tmp_path: Path, groups: int) -> None:
    """As in IGCV3; behind an activation it stays a dense 1x1, as in ShuffleNet."""
    network = Network(1, 64, 14, 14).conv(64, 64, (1, 1), groups)
    shuffle(network).conv(64, 64, group=64)
    assert kinds(network, tmp_path) == ["convolution", "convolution"]
    other = Network(1, 64, 14, 14).conv(64, 64, (1, 1), 2).add("Relu")
    shuffle(other).conv(64, 64, group=64)
    assert kinds(other, tmp_path) == ["convolution"] * 3


def shuffle(network: Network) -> Network:
    """Append a shuffle of 64 channels in 2 groups over 14 x 14 pixels."""
    network.add("Reshape", network.constant("apart", np.array([1, 2, 32, 14, 14])))
    network.add("Transpose", perm=[0, 2, 1, 3, 4])
    return network.add("Reshape", network.constant("joined", np.array([1, 64, 14, 14])))
