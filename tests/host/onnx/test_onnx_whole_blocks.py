"""Concats of parts that are no whole blocks of channels, before an ordinary convolution."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx_networks import Network
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
