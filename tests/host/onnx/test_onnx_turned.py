"""Transposes that the rk3568 moves piece by piece: which of a network's they are, and what they take.

Commands and task records of files of toolkit 2.5.0, rk3568 in float16, in bytes: DNSMOS, EfficientViT-B0.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_networks import Network
from rkbench.onnx import predict_size

FRAMES_BYTES = 139_368
BACK_BYTES = 242_240


def commands_of(network: Network, folder: Path, target: str = "rk3568") -> dict[str, int | None]:
    network.save(folder / "n.onnx")
    return {node.name: node.command_bytes for node in predict_size(folder / "n.onnx", target, "fp16").nodes}


def framed(kind: str) -> Network:
    """Return two pieces of a signal as halves of 900 frames, whose samples are channels of convolutions."""
    network = Network(1, 144_000)
    network.add("Reshape", network.constant("rows", np.array((1, 900, 160))), name="half")
    network.add(kind, *(["half_out"] if kind == "Concat" else []), name="whole", **AXIS[kind])
    network.add("Transpose", perm=[0, 2, 1], name="turned")
    network.conv(320 if kind == "Concat" else 160, 161, (1,), bias=False, name="real")
    network.value = "whole_out"
    network.add("Transpose", perm=[0, 2, 1], name="again")
    network.conv(320 if kind == "Concat" else 160, 161, (1,), bias=False, name="imaginary")
    return network.add("Add", "real_out")


AXIS: dict[str, dict[str, int]] = {"Concat": {"axis": 2}, "Relu": {}}


def test_frames_that_become_channels_are_turned_once(tmp_path: Path) -> None:
    found = commands_of(framed("Concat"), tmp_path)
    assert found["turned"] == pytest.approx(FRAMES_BYTES, rel=0.1)
    assert (found.get("again") or 0) < 2_000


def test_several_cores_turn_them_in_few_tasks(tmp_path: Path) -> None:
    assert (commands_of(framed("Concat"), tmp_path, "rk3588")["turned"] or 0) < 4_000


def test_a_map_that_a_layer_made_is_not_turned(tmp_path: Path) -> None:
    assert (commands_of(framed("Relu"), tmp_path).get("turned") or 0) < 2_000


def test_attention_without_a_softmax_is_turned_behind_its_products(tmp_path: Path) -> None:
    """Positions lie where channels do behind the products, before them the channels of a head."""
    network = Network(1, 384, 14, 14)
    network.add("Relu", name="joint")
    network.add("Reshape", network.constant("heads", np.array((1, 8, 48, 196))))
    network.add("Transpose", perm=[0, 1, 3, 2], name="laid")
    network.add("Split", network.constant("parts", np.array((16, 16, 16))), axis=3, name="cut")
    network.nodes[-1].output[:] = ["queries", "keys", "values"]
    network.value = "keys"
    network.add("Transpose", perm=[0, 1, 3, 2], name="turned").add("MatMul", "values", name="summed")
    network.value = "queries"
    network.add("MatMul", "summed_out").add("Transpose", perm=[0, 1, 3, 2], name="back")
    network.add("Reshape", network.constant("map", np.array((1, 128, 14, 14)))).conv(128, 64, (1, 1))
    found = commands_of(network, tmp_path)
    assert found["back"] == pytest.approx(BACK_BYTES, rel=0.1)
    assert (found["turned"] or 0) < BACK_BYTES / 4


def heads(network: Network, name: str, axes: int) -> str:
    """Return a product of a map's rows as 8 heads of 16 channels, of three axes or four."""
    network.value = "x"
    network.add("MatMul", network.weights(f"{name}_w", 128, 128))
    network.add("Reshape", network.constant(f"{name}_s", np.array((1, 1024, 8, 16))))
    network.add("Transpose", perm=[0, 2, 1, 3])
    if axes == 3:
        network.add("Reshape", network.constant(f"{name}_t", np.array((8, 1024, 16))))
    return network.value


@pytest.mark.parametrize(("axes", "measured"), [(3, 292_208), (4, 292_080)])
def test_attention_without_a_softmax_is_computed_the_other_way_around_where_nothing_is_cut_off(
    tmp_path: Path, axes: int, measured: int
) -> None:
    """Of three axes the first was no head but a channel: 4,470,427 bytes were predicted, of four 508,423."""
    network = Network(1, 1024, 128)
    swapped = [0, 2, 1] if axes == 3 else [0, 1, 3, 2]
    queries, keys, values = (heads(network, name, axes) for name in ("q", "k", "v"))
    network.value = keys
    network.add("Transpose", perm=swapped).add("MatMul", values, name="summed")
    network.value = queries
    network.add("MatMul", "summed_out").add("Transpose", perm=swapped, name="back")
    network.add("Reshape", network.constant("map", np.array((1, 128, 1024, 1)))).conv(128, 16, (1, 1))
    found = predict_size(network.save(tmp_path / "n.onnx"), "rk3588", "fp16")
    assert found.file_bytes == pytest.approx(measured, rel=0.25)
