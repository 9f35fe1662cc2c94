"""Concats of parts that are no whole blocks of channels, before ordinary convolutions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnx_networks import Network
from onnx_units import signals
from rkbench.onnx import fix


def joined(parts: tuple[int, ...], outputs: int, *, again: bool = False) -> Network:
    """Return convolutions whose maps are joined for a 1x1; with `again` the first map is read once more."""
    network = Network(1, 16, 8, 8)
    source, made = network.value, []
    for place, channels in enumerate(parts):
        network.value = source
        made.append(network.conv(16, channels, (3, 3), name=f"part{place}").add("Relu").value)
    network.value = made[0]
    network.add("Concat", *made[1:], axis=1).conv(sum(parts), outputs, (1, 1), name="behind").add("Relu")
    return network.add("Add", made[0]) if again else network


def changed(network: Network, folder: Path, target: str = "rk3588", dtype: str = "fp16") -> list[str]:
    report = fix(network.save(folder / "model.onnx"), target, dtype, folder / "fixed.onnx")
    return [change.rewrite for change in report.changes]


@pytest.mark.parametrize(
    ("target", "dtype", "channels"),
    [("rk3588", "fp16", 264), ("rk3588", "int8", 272), ("rk3568", "fp16", 260), ("rk3568", "int8", 264)],
)
def test_the_last_part_is_filled_up_where_the_concat_stays(
    tmp_path: Path, target: str, dtype: str, channels: int
) -> None:
    assert changed(joined((128, 130), 256), tmp_path, target, dtype) == ["padded_concat"]
    graph = onnx.load(tmp_path / "fixed.onnx").graph
    read = {name for node in graph.node if node.name == "behind" for name in node.input}
    assert [list(each.dims) for each in graph.initializer if each.name in read and len(each.dims) == 4] == [
        [256, channels, 1, 1]
    ]


def test_a_part_of_whole_blocks_may_be_read_by_others(tmp_path: Path) -> None:
    assert changed(joined((128, 126), 128, again=True), tmp_path) == ["padded_concat"]


@pytest.mark.parametrize(("parts", "outputs"), [((130, 128), 256), ((128, 130), 32), ((128, 128), 256)])
def test_a_concat_that_is_taken_apart_or_fits_is_left(
    tmp_path: Path, parts: tuple[int, ...], outputs: int
) -> None:
    assert changed(joined(parts, outputs), tmp_path) == []


@pytest.mark.parametrize(
    "network",
    [
        signals((28, 28, 30)),
        signals((28, 28, 30), padded=True),
        signals((28, 28, 30), padded=True, readers=1),
        signals((44, 44), rank=2),
        signals((44, 44), rank=2, readers=1, padded=True),
    ],
    ids=["two readers", "Pads", "one Pad", "a map", "a padded map"],
)
def test_parts_that_several_or_padded_convolutions_read_are_filled_up(
    tmp_path: Path, network: Network
) -> None:
    report = fix(network.save(tmp_path / "model.onnx"), "rk3588", "fp16", tmp_path / "fixed.onnx")
    changes = [change.rewrite for change in report.changes]
    assert [rewrite for rewrite in changes if rewrite != "spelled_out"] == ["padded_concat"]
    assert report.verification is not None
    assert report.verification.relative_difference < 1e-5


def test_a_signal_that_one_convolution_reads_is_left(tmp_path: Path) -> None:
    """Converted, two parts of 44: 75,376 bytes, 86,768 with whole blocks (rk3588 fp16)."""
    assert changed(signals((44, 44), readers=1), tmp_path) == []


def test_channels_that_a_pad_adds_to_are_left(tmp_path: Path) -> None:
    network = signals((28, 28, 30), padded=True, readers=1)
    for each in network.initializers:
        if each.name == "rim0":
            each.CopyFrom(numpy_helper.from_array(np.array([0, 1, 2, 0, -1, 2]), "rim0"))
    assert changed(network, tmp_path) == []


def test_a_part_that_a_constant_node_makes_is_no_pad_of_another(tmp_path: Path) -> None:
    """A node without inputs: whether it pads the map that it reads ended `bench fix` in an IndexError."""
    network = Network(1, 16, 56, 56).conv(16, 20, (1, 1))
    places = numpy_helper.from_array(np.ones((1, 12, 56, 56), "float32"))
    network.nodes.append(onnx.helper.make_node("Constant", [], ["places"], value=places))
    network.add("Concat", "places", axis=1).conv(32, 64)
    assert changed(network, tmp_path) == []
