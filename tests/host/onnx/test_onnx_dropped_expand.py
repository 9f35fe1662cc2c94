"""An Expand that the next operator makes needless, and padded signals that are read in steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx_networks import Network
from rkbench.onnx import fix, predict_size
from rkbench.onnx.rewrites import chosen

TARGETS = [(target, dtype) for target in ("rk3588", "rk3568") for dtype in ("fp16", "int8")]


def expanded(
    channels: int, size: int, *, op: str = "Mul", whole: bool = True, expands: bool = True
) -> Network:
    """Return squeeze and excite whose gate is expanded to the map, or to a map that nothing else has."""
    network = Network(1, 16, size, size).conv(16, channels, (1, 1)).add("Relu")
    source = network.value if whole else network.weights("vector", 1, channels, 1, 1)
    network.add("GlobalAveragePool").conv(channels, channels, (1, 1)).add("Sigmoid")
    if expands:
        network.add("Expand", network.constant("size", np.int64([1, channels, size, size])), name="expand")
    return network.add(op, source).conv(channels, 16, (1, 1))


def changes(path: Path, output: Path, target: str, dtype: str, rewrite: str) -> list[str]:
    report = fix(path, target, dtype, output, rewrites=chosen([rewrite]))
    return [change.node for change in report.changes]


@pytest.mark.parametrize("repeat", ["Expand", "Tile", "stored"])
def test_a_stored_vector_that_is_repeated_is_one_number_a_channel(repeat: str, tmp_path: Path) -> None:
    """SSD: 739 kB were predicted, and said to be saved by a rewrite that changed no byte of the file."""
    network = Network(1, 16, 14, 14).conv(16, 64, (1, 1)).add("Relu")
    relu, vector = network.value, np.linspace(0.5, 2, 64, dtype="float32").reshape(1, 64, 1, 1)
    if repeat == "stored":
        network.value = network.constant("scale", np.tile(vector, (1, 1, 14, 14)))
    else:
        sides = [1, 64, 14, 14] if repeat == "Expand" else [1, 1, 14, 14]
        network.value = network.constant("scale", vector)
        network.add(repeat, network.constant("sides", np.int64(sides)), name="repeat")
    path = network.add("Mul", relu, name="scaled").conv(64, 16, (1, 1)).save(tmp_path / "x.onnx")
    nodes = {node.name: node.weight_bytes for node in predict_size(path, "rk3588", "fp16").nodes}
    assert nodes.get("scaled", 0) == 64 * 2
    assert changes(path, tmp_path / "out.onnx", "rk3588", "fp16", "dropped_expand") == []


@pytest.mark.parametrize(("target", "dtype"), TARGETS)
@pytest.mark.parametrize("op", ["Mul", "Add", "Sub"])
def test_an_expand_that_the_next_operator_repeats_goes(
    tmp_path: Path, target: str, dtype: str, op: str
) -> None:
    path = expanded(256, 14, op=op).save(tmp_path / "x.onnx")
    assert changes(path, tmp_path / "out.onnx", target, dtype, "dropped_expand") == ["expand"]
    assert "Expand" not in {node.op_type for node in onnx.load(tmp_path / "out.onnx").graph.node}


def test_an_expand_that_makes_the_map_stays(tmp_path: Path) -> None:
    path = expanded(256, 14, whole=False).save(tmp_path / "x.onnx")
    assert changes(path, tmp_path / "out.onnx", "rk3568", "int8", "dropped_expand") == []


def test_an_expand_that_is_an_output_stays(tmp_path: Path) -> None:
    path = expanded(256, 14).save(tmp_path / "x.onnx", outputs=("expand_out",))
    assert changes(path, tmp_path / "out.onnx", "rk3568", "int8", "dropped_expand") == []


def test_an_expand_that_is_both_operands_stays(tmp_path: Path) -> None:
    network = expanded(64, 14)
    for node in network.nodes:
        if node.op_type == "Mul":
            node.input[1] = node.input[0]
    path = network.save(tmp_path / "x.onnx")
    assert changes(path, tmp_path / "out.onnx", "rk3568", "int8", "dropped_expand") == []


@pytest.mark.parametrize(
    ("channels", "size", "op", "target", "dtype", "saved"),
    [
        (256, 14, "Mul", "rk3568", "fp16", 6_784),
        (128, 14, "Add", "rk3568", "fp16", 4_736),
        (256, 14, "Mul", "rk3588", "fp16", 5_248),
        (128, 14, "Add", "rk3588", "fp16", 4_096),
        (256, 14, "Mul", "rk3588", "int8", 5_248),
    ],
)
def test_what_an_expand_takes_is_predicted(
    tmp_path: Path, channels: int, size: int, op: str, target: str, dtype: str, saved: int
) -> None:
    found = [
        predict_size(
            expanded(channels, size, op=op, expands=expands).save(tmp_path / f"{expands}.onnx"), target, dtype
        ).file_bytes
        for expands in (True, False)
    ]
    assert found[0] - found[1] == pytest.approx(saved, rel=0.4)


def signal(kernel: int, stride: int, pads: tuple[int, int], length: int) -> Network:
    network = Network(1, 1, length)
    weights = network.weights("filters", 64, 1, kernel)
    network.add("Conv", weights, name="filter", kernel_shape=[kernel], strides=[stride], pads=list(pads))
    return network.add("Relu").conv(64, 32, (1,))


@pytest.mark.parametrize("pads", [(8, 8), (4, 4), (3, 5), (0, 8), (8, 0), (20, 1)])
@pytest.mark.parametrize("length", [1600, 1603])
def test_a_padded_signal_is_read_in_steps_behind_a_pad(
    tmp_path: Path, pads: tuple[int, int], length: int
) -> None:
    path = signal(16, 8, pads, length).save(tmp_path / "x.onnx")
    report = fix(path, "rk3588", "fp16", tmp_path / "out.onnx", rewrites=chosen(["strided_signal"]))
    assert [change.node for change in report.changes] == ["filter"]
    assert report.verification is not None
    assert report.verification.relative_difference < 1e-5
    nodes = onnx.load(tmp_path / "out.onnx").graph.node
    assert "Pad" in {node.op_type for node in nodes}
    (short,) = [
        list(each.ints)
        for node in nodes
        if node.name.startswith("filter")
        for each in node.attribute
        if each.name == "kernel_shape"
    ]
    assert short == [2]


@pytest.mark.parametrize(
    ("kernel", "pads", "length", "found"),
    [
        (16, (0, 0), 8000, []),
        (32, (0, 0), 16000, []),
        (16, (0, 0), 192, []),
        (16, (0, 0), 4000, []),
        (16, (0, 0), 4008, ["filter"]),
        (96, (0, 0), 4800, ["filter"]),
        (16, (8, 8), 7984, ["filter"]),
        (256, (0, 0), 16384, ["filter"]),
    ],
)
def test_frames_that_the_npu_would_turn_one_by_one_are_left(
    tmp_path: Path, kernel: int, pads: tuple[int, int], length: int, found: list[str]
) -> None:
    path = signal(kernel, kernel // 2, pads, length).save(tmp_path / "x.onnx")
    assert changes(path, tmp_path / "out.onnx", "rk3568", "fp16", "strided_signal") == found


@pytest.mark.parametrize(
    ("kernel", "stride", "pads", "length", "steps"),
    [
        (20, 8, (0, 0), 1604, 3),
        (25, 10, (12, 12), 1605, 3),
        (512, 160, (0, 0), 12800, 4),
        (40, 32, (0, 9), 999, 2),
    ],
)
def test_a_kernel_that_is_no_whole_number_of_strides_long_is_filled_up_with_zeros(
    tmp_path: Path, kernel: int, stride: int, pads: tuple[int, int], length: int, steps: int
) -> None:
    path = signal(kernel, stride, pads, length).save(tmp_path / "x.onnx")
    report = fix(path, "rk3588", "fp16", tmp_path / "out.onnx", rewrites=chosen(["strided_signal"]))
    assert report.verification is not None
    assert report.verification.relative_difference < 1e-5
    (change,) = report.changes
    assert f"-> kernel {steps} over " in change.description
