"""Attention over channels whose heads are one map until they meet: predicted as converted.

Sizes of files of toolkit 2.5.0, in bytes, for rk3588 fp16 and int8, rk3568 fp16 and int8.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from onnx import helper, numpy_helper
from onnx_networks import Network
from rkbench.onnx import predict_size

TARGETS = [(target, dtype) for target in ("rk3588", "rk3568") for dtype in ("fp16", "int8")]
Sizes = tuple[int, ...]


def reshaped(network: Network, *shape: int) -> Network:
    return network.add("Reshape", network.constant(f"shape{len(network.nodes)}", np.array(shape)))


def turned(network: Network, *order: int) -> Network:
    return network.add("Transpose", perm=list(order))


def unit(network: Network, *shape: int) -> str:
    """Divide the vectors of the last axis by their lengths."""
    vectors = network.value
    network.add("ReduceL2", axes=[-1], keepdims=1)
    lengths = network.add("Clip", network.constant(f"least{len(network.nodes)}", np.float32(1e-12)))
    lengths = lengths.add("Expand", network.constant(f"all{len(network.nodes)}", np.array(shape))).value
    network.value = vectors
    return network.add("Div", lengths).value


def attended(network: Network, parts: list[str]) -> Network:
    """Let the vectors of the first two attend to one another, and take the third by that."""
    network.value = parts[1]
    keys = turned(network, 0, 1, 3, 2).value
    network.value = parts[0]
    return network.add("MatMul", keys).add("Softmax", axis=-1).add("MatMul", parts[2])


def of_maps(channels: int, side: int, *, depthwise: bool) -> Network:
    """Return what Restormer does: a map, there of a depthwise convolution, cut in three by channels."""
    network = Network(1, 3, side, side).conv(3, channels * 3)
    if depthwise:
        network.conv(channels * 3, channels * 3, group=channels * 3)
    whole, parts = network.value, []
    for place in range(3):
        network.value = whole
        edges = [np.array([place * channels]), np.array([(place + 1) * channels]), np.array([1])]
        network.add("Slice", *(network.constant(f"s{place}{i}", edge) for i, edge in enumerate(edges)))
        reshaped(network, 1, 1, channels, side * side)
        parts.append(network.value if place == 2 else unit(network, 1, 1, channels, side * side))
    return reshaped(attended(network, parts), 1, channels, side, side).conv(channels, 16, (1, 1))


def of_products(heads: int, channels: int, side: int) -> Network:
    """Return what Retinexformer does: three products, of whose positions a Transpose makes vectors."""
    width, count = heads * channels, side * side
    network = Network(1, 3, side, side).conv(3, width)
    turned(reshaped(network, 1, width, count), 0, 2, 1)
    whole, parts = network.value, []
    for place in range(3):
        network.value = whole
        network.add("MatMul", network.weights(f"w{place}", width, width))
        turned(turned(reshaped(network, 1, count, heads, channels), 0, 2, 1, 3), 0, 1, 3, 2)
        parts.append(network.value if place == 2 else unit(network, 1, heads, channels, count))
    reshaped(turned(attended(network, parts), 0, 3, 1, 2), 1, count, width)
    network.add("MatMul", network.weights("projection", width, width))
    return reshaped(turned(network, 0, 2, 1), 1, width, side, side).conv(width, 16, (1, 1))


def windows(count: int, heads: int) -> Network:
    """Return the norms of SwinV2's queries, 49 of 24 channels in each head of each window."""
    network = Network(count, heads, 49, 24)
    unit(network, count, heads, 49, 24)
    return network


@pytest.mark.parametrize(("count", "heads", "tasks"), [(64, 2, 960), (4, 8, 60), (1, 16, 240)])
def test_vectors_of_a_window_are_normed_at_once(tmp_path: Path, count: int, heads: int, tasks: int) -> None:
    """SwinV2-CR, rk3588 in int8: 849,920, 55,040 and 214,016 bytes of commands on one core and two."""
    path = windows(count, heads).save(tmp_path / "m.onnx")
    layer = next(node for node in predict_size(path, "rk3588", "int8").nodes if node.type == "ReduceL2")
    assert layer.command_bytes is not None
    assert 0.8 < layer.command_bytes / (tasks * (4_544 * 3 // 15 + 3 * 40)) < 1.2


@pytest.mark.parametrize(
    ("make", "sizes"),
    [
        (partial(of_maps, 16, 64, depthwise=True), (394_868, 509_134, 227_508, 240_718)),
        (partial(of_maps, 32, 32, depthwise=True), (175_668, 294_222, 96_436, 108_110)),
        (partial(of_maps, 32, 32, depthwise=False), (224_628, 570_190, 110_132, 122_894)),
        (partial(of_products, 1, 24, 64), (459_444, 318_734, 252_852, 269_710)),
        (partial(of_products, 2, 24, 32), (319_220, 496_398, 146_356, 145_166)),
    ],
)
def test_heads_that_are_one_map_are_normed_at_once(
    make: Callable[[], Network], sizes: Sizes, tmp_path: Path
) -> None:
    path = make().save(tmp_path / "m.onnx")
    predicted = tuple(predict_size(path, *each).file_bytes for each in TARGETS)
    assert predicted == tuple(pytest.approx(size, rel=0.15) for size in sizes)


@pytest.mark.parametrize("target", ["rk3588", "rk3568"])
def test_what_a_constant_node_divides_is_not_divided_by_its_length(tmp_path: Path, target: str) -> None:
    """SqueezeBERT and Nystromformer: the number stands in a node of its own, before turned values."""
    network = Network(1, 4, 16, 32).conv(4, 4)
    query = network.value
    keys = turned(network, 0, 1, 3, 2).value
    network.value = query
    values = turned(reshaped(network, 1, 4, 32, 16), 0, 1, 3, 2).value
    network.value = query
    network.add("MatMul", keys)
    number = numpy_helper.from_array(np.float32(5.6))
    network.nodes.append(helper.make_node("Constant", [], ["number"], value=number))
    network.add("Div", "number").add("Softmax", axis=-1).add("MatMul", values)
    path = network.save(tmp_path / "m.onnx")
    assert {"MatMul", "Transpose"} <= {node.type for node in predict_size(path, target, "fp16").nodes}
