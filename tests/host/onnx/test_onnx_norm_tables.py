"""Norms of each channel over its pixels, DepthToSpace, lists of found items, RNN: predicted as converted.

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

TARGETS = [(target, dtype) for target in ("rk3588", "rk3568") for dtype in ("fp16", "int8")]


def begun(channels: int, side: int) -> Network:
    return Network(1, 16, side, side).conv(16, channels, (1, 1)).add("Relu")


def normed(network: Network, channels: int) -> Network:
    ones = network.constant("ones", np.ones(channels, "float32"))
    return network.add(
        "InstanceNormalization", ones, network.constant("zeros", np.zeros(channels, "float32"))
    )


def reshaped(network: Network, *shape: int) -> Network:
    return network.add("Reshape", network.constant(f"shape{len(network.nodes)}", np.array(shape)))


def over_pixels(channels: int, side: int) -> Network:
    return normed(begun(channels, side), channels).conv(channels, 32, (1, 1))


def beside_itself(channels: int, side: int) -> Network:
    """Return a norm and a convolution whose sum with the map before them is taken (Restormer)."""
    network = Network(1, 16, side, side).conv(16, channels, (3, 3))
    before = network.value
    return normed(network, channels).conv(channels, channels, (1, 1)).add("Add", before)


def over_one_row(channels: int, side: int) -> Network:
    """Return a norm of as many groups as channels, as exporters write it: the map is one row for it."""
    network = reshaped(begun(channels, side), 1, channels, -1)
    network = reshaped(normed(network, channels), 1, channels, side, side)
    network.add("Mul", network.weights("scale", 1, channels, 1, 1))
    network.add("Add", network.weights("shift", 1, channels, 1, 1))
    return network.conv(channels, 32, (1, 1))


def over_a_signal(channels: int, length: int) -> Network:
    """Return one norm over all of a signal's channels, which has three axes (ConvTasNet)."""
    network = Network(1, 16, 1, length).conv(16, channels, (1, 1)).add("Relu")
    network = normed(reshaped(reshaped(network, 1, channels, length), 1, 1, -1), 1)
    reshaped(network, 1, channels, 1, length)
    network.add("Mul", network.weights("scale", 1, channels, 1, 1))
    network.add("Add", network.weights("shift", 1, channels, 1, 1))
    return network.conv(channels, 32, (1, 1))


def enlarged(channels: int, side: int) -> Network:
    network = begun(channels, side).add("DepthToSpace", blocksize=2, mode="CRD")
    return network.conv(channels // 4, 32, (1, 1))


def found_lists() -> Network:
    """Return what detectors end in: maps of four sizes as lists of five numbers, one behind the other."""
    network = begun(32, 16)
    start, parts = network.value, []
    for count, step in ((2, 1), (3, 2), (3, 4), (3, 8)):
        network.value = start
        network.conv(32, count * 5, (step, step), strides=[step, step])
        parts.append(reshaped(network.add("Transpose", perm=[0, 2, 3, 1]), 1, -1, 5).value)
    network.value = parts[0]
    return network.add("Concat", *parts[1:], axis=1)


def recurrent(steps: int, width: int, hidden: int) -> Network:
    network = reshaped(Network(1, 16, 1, steps).conv(16, width, (1, 1)), width, steps)
    reshaped(network.add("Transpose", perm=[1, 0]), steps, 1, width)
    weights = network.weights("w", 1, hidden, width), network.weights("r", 1, hidden, hidden)
    return reshaped(network.add("RNN", *weights, hidden_size=hidden), 1, steps, hidden)


@pytest.mark.parametrize(
    ("make", "sizes"),
    [
        (partial(over_pixels, 64, 56), (171_188, 355_214, 168_692, 178_382)),
        (partial(over_pixels, 24, 32), (85_364, 87_182, 68_468, 81_102)),
        (partial(over_pixels, 16, 48), (130_484, 130_126, 123_956, 137_230)),
        (partial(over_pixels, 16, 128), (385_528, 381_906, 133_752, 151_570)),
        (partial(beside_itself, 16, 64), (366_707, 403_853, 862_259, 351_885)),
        (partial(over_one_row, 16, 48), (249_396, 430_862, 501_044, 226_190)),
        (partial(over_one_row, 32, 24), (122_036, 337_230, 152_180, 94_414)),
        (partial(over_one_row, 32, 32), (154_740, 361_678, 242_868, 128_462)),
        (partial(over_one_row, 32, 23), (66_484, 64_206, 49_716, 49_614)),
        (partial(over_a_signal, 64, 500), (109_556, 100_174, 74_228, 73_102)),
        (partial(enlarged, 256, 8), (174_898, 105_804, 163_442, 105_996)),
        (partial(enlarged, 48, 24), (37_940, 35_982, 73_588, 83_918)),
        (found_lists, (1_366_708, 735_246, 110_068, 663_566)),
        (partial(recurrent, 40, 32, 96), (69_107, 65_677, 60_659, 60_621)),
    ],
)
def test_what_the_compiler_adds_is_predicted_within_three_twentieths(
    make: Callable[[], Network], sizes: tuple[int, ...], tmp_path: Path
) -> None:
    path = make().save(tmp_path / "m.onnx")
    predicted = tuple(predict_size(path, *each).file_bytes for each in TARGETS)
    assert predicted == tuple(pytest.approx(size, rel=0.15) for size in sizes)


def test_steps_of_a_sequence_are_rows_of_one_map_and_no_batch(tmp_path: Path) -> None:
    """DeepSpeech's linear layers take [100, 1, 256]: one task on each core, not one for each step."""
    tall = Network(100, 1, 64)
    tall.add("MatMul", tall.weights("w", 64, 64))
    wide = Network(1, 100, 64)
    wide.add("MatMul", wide.weights("w", 64, 64))
    sizes = [
        predict_size(network.save(tmp_path / f"{name}.onnx"), "rk3588", "fp16").file_bytes
        for name, network in (("tall", tall), ("wide", wide))
    ]
    assert sizes[0] == sizes[1]


def scaled_norm(channels: int, side: int, *, scale: float, offset: float) -> Network:
    network = Network(1, 16, side, side).conv(16, channels, (3, 3))
    scales = network.constant("scales", np.full(channels, scale, "float32"))
    network.add("InstanceNormalization", scales, network.constant("offsets", np.full(channels, offset, "f")))
    return network.add("Relu").conv(channels, 16, (3, 3))


@pytest.mark.parametrize(
    ("make", "sizes"),
    [
        (partial(scaled_norm, 32, 64, scale=2.0, offset=0.5), (351_476, 450_318, 292_596, 328_590)),
        (partial(scaled_norm, 64, 56, scale=2.0, offset=0.5), (308_340, 511_374, 256_948, 276_494)),
        (partial(scaled_norm, 64, 32, scale=1.0, offset=0.5), (140_212, 147_342, 116_148, 114_638)),
        (partial(scaled_norm, 32, 64, scale=1.0, offset=0.0), (219_252, 284_046, 221_492, 223_502)),
    ],
    ids=["scaled", "rows that are no whole blocks", "an offset alone", "neither"],
)
def test_scales_and_offsets_of_a_norm_are_tasks_for_its_pixels(
    make: Callable[[], Network], sizes: tuple[int, ...], tmp_path: Path
) -> None:
    path = make().save(tmp_path / "m.onnx")
    predicted = tuple(predict_size(path, *each).file_bytes for each in TARGETS)
    assert predicted == tuple(pytest.approx(size, rel=0.08) for size in sizes)


@pytest.mark.parametrize(("dtype", "element_bytes"), [("fp16", 2), ("int8", 1)])
def test_matrices_of_an_rnn_need_what_their_dtype_takes_and_lie_there_in_float32(
    dtype: str, element_bytes: int, tmp_path: Path
) -> None:
    path = recurrent(40, 32, 96).save(tmp_path / "m.onnx")
    (node,) = [node for node in predict_size(path, "rk3588", dtype).nodes if node.type == "RNN"]
    elements = 96 * (32 + 96)
    assert (node.needed_bytes, node.weight_bytes) == (elements * element_bytes, elements * 4)
