"""Taps that lie far apart over one axis: what they cost, and rows as long as the dilation instead."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx_networks import Network
from rkbench.inspection.prediction import predicted_sentence
from rkbench.onnx import fix, open_onnx, predict_size
from rkbench.onnx.fusion.spread import spread_of
from rkbench.onnx.rewrites import chosen


def series(
    folder: Path,
    pads: tuple[int, int],
    *,
    length: int = 128,
    dilation: int = 32,
    kept: int = 0,
    groups: int = 1,
) -> Path:
    """Save a convolution of 3 taps over one axis, of which a Slice keeps the first positions."""
    network = Network(1, 24, length).add("Relu")
    weights = [network.weights("w", 24, 24 // groups, 3), network.weights("b", 24)]
    network.add(
        "Conv", *weights, kernel_shape=[3], dilations=[dilation], pads=list(pads), group=groups, name="far"
    )
    if kept:
        ends = [
            network.constant(name, np.array([at])) for name, at in (("from", 0), ("to", kept), ("axis", 2))
        ]
        network.add("Slice", *ends)
    return network.add("Relu").save(folder / "x.onnx")


@pytest.mark.parametrize(
    ("dilation", "pads", "columns"),
    [
        (31, (31, 31), 0),
        (32, (32, 32), 3 * 128),
        (64, (128, 0), 2 * 128),  # the first tap never meets the map
        (64, (128, 128), 3 * 256),
    ],
)
def test_columns_are_fetched_for_each_tap_from_a_dilation_of_32_on(
    tmp_path: Path, dilation: int, pads: tuple[int, int], columns: int
) -> None:
    graph = open_onnx(series(tmp_path, pads, dilation=dilation)).graph
    found = next(spread_of(node) for node in graph if node.name == "far")
    assert (found.columns if found is not None else 0) == columns


@pytest.mark.parametrize(
    ("target", "dtype", "size"),
    [
        ("rk3588", "fp16", 141_102),
        ("rk3588", "int8", 139_656),
        ("rk3568", "fp16", 90_990),
        ("rk3568", "int8", 89_032),
    ],
)
def test_the_file_is_predicted_as_it_was_converted(
    tmp_path: Path, target: str, dtype: str, size: int
) -> None:
    network = Network(1, 25, 128).add("Relu")
    weights = [network.weights("w", 25, 25, 3), network.weights("b", 25)]
    network.add("Conv", *weights, kernel_shape=[3], dilations=[32], pads=[32, 32]).add("Relu")
    prediction = predict_size(network.save(tmp_path / "x.onnx"), target, dtype)
    assert prediction.file_bytes == pytest.approx(size, rel=0.1)


def test_the_columns_are_what_is_said_first(tmp_path: Path) -> None:
    path = series(tmp_path, (32, 32))
    said = predicted_sentence(path, predict_size(path, "rk3588", "fp16"))
    assert "1 node (far) takes" in said
    assert "of commands: taps far apart, fetched column by column" in said


@pytest.mark.parametrize(
    ("given", "shape"),
    [
        ({"pads": (64, 0)}, (24, 24, 3, 1)),
        ({"pads": (64, 64), "kept": 128}, (24, 24, 3, 1)),
        ({"pads": (32, 32)}, (24, 24, 3, 1)),
        ({"pads": (128, 128), "kept": 128, "dilation": 64}, (24, 24, 2, 1)),
        ({"pads": (64, 0), "groups": 24}, (24, 1, 3, 1)),
        ({"pads": (64, 0), "length": 130}, None),
        ({"pads": (62, 0), "dilation": 31}, None),
        ({"pads": (60, 4)}, None),
        ({"pads": (64, 64), "kept": 100}, None),
    ],
)
def test_a_kernel_of_far_taps_reads_rows_and_gives_the_same(
    tmp_path: Path, given: dict[str, object], shape: tuple[int, ...] | None
) -> None:
    path = series(tmp_path, **given)
    report = fix(path, "rk3588", "fp16", tmp_path / "y.onnx", rewrites=chosen(["far_taps"]))
    assert len(report.changes) == (shape is not None)
    if shape is None:
        return
    assert report.verification is not None
    assert report.verification.relative_difference < 1e-5
    graph = onnx.load(tmp_path / "y.onnx").graph
    conv = next(node for node in graph.node if node.op_type == "Conv")
    kernel = next(each for each in graph.initializer if each.name == conv.input[1])
    assert tuple(kernel.dims) == shape
    assert not any(node.op_type == "Slice" for node in graph.node)
