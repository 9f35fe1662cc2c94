"""Into how many tasks convolutions are cut, and what is unrolled: counts read from files of toolkit 2.5.0."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_networks import Network
from rkbench.onnx import open_onnx, predict
from rkbench.onnx.convolution import Convolution, fate
from rkbench.onnx.fusion.tasks import row_tasks
from rkbench.onnx.fusion.unrolled import moved_tasks, pieces_of
from rkbench.rknn.targets import Dtype
from test_onnx_fusion import layers, unpacked


def convolution(text: str, kernel: int = 1, stride: int = 1, batch: int = 1, groups: int = 1) -> Convolution:
    """Return a square convolution of `inputs x height x width > outputs`, padded to keep its map."""
    before, outputs = text.split(">")
    inputs, height, width = (int(size) for size in before.split("x"))
    after = (-(-height // stride), -(-width // stride))
    return Convolution(
        int(outputs),
        inputs,
        groups,
        (kernel, kernel),
        (stride, stride),
        input_size=(height, width),
        output_size=after,
        batch=batch,
    )


@pytest.mark.parametrize(
    ("dtype", "geometry", "kernel", "stride", "tasks"),
    [
        ("fp16", "128x901x161>64", 3, 1, 300),  # the map takes all banks but one, filters come through that
        ("int8", "128x901x161>64", 3, 1, 100),
        ("fp16", "64x56x56>192", 3, 1, 2),
        ("fp16", "256x28x28>256", 3, 1, 3),  # eight filters of 4,608 bytes need two banks
        ("fp16", "512x28x28>128", 1, 1, 16),  # four parts of the map, each with a quarter of the filters
        ("fp16", "1024x14x14>2048", 1, 2, 256),
        ("int8", "512x7x7>2048", 1, 1, 5),
        ("fp16", "544x14x14>128", 1, 1, 6),
        ("fp16", "3x224x224>64", 7, 2, 2),  # pixels of an image take eight bytes
        ("fp16", "1x901x161>128", 3, 1, 6),
    ],
)
def test_the_rk3568_keeps_the_map_and_cuts_the_filters(
    dtype: Dtype, geometry: str, kernel: int, stride: int, tasks: int
) -> None:
    asked = convolution(geometry, kernel, stride)
    assert row_tasks(asked, fate(asked, "rk3568", dtype), 1, dtype) == tasks


@pytest.mark.parametrize(
    ("dtype", "geometry", "kernel", "stride", "tasks"),
    [
        ("fp16", "128x901x161>64", 3, 1, 300),  # the rim of zeros takes no room
        ("fp16", "64x901x161>64", 3, 1, 75),
        ("fp16", "832x14x14>128", 1, 1, 1),
        ("fp16", "3x224x224>64", 7, 2, 6),
        ("int8", "3x224x224>64", 7, 2, 3),
        ("fp16", "1x901x161>128", 3, 1, 7),
    ],
)
def test_the_rk3588_cuts_the_map_by_rows(
    dtype: Dtype, geometry: str, kernel: int, stride: int, tasks: int
) -> None:
    asked = convolution(geometry, kernel, stride)
    assert row_tasks(asked, fate(asked, "rk3588", dtype), 3, dtype) == tasks


def test_each_item_of_a_batch_has_tasks_of_its_own() -> None:
    asked = convolution("80x1x64>240", batch=4)
    assert row_tasks(asked, fate(asked, "rk3588", "fp16"), 3, "fp16") == 4


def test_a_long_kernel_over_one_channel_is_cut_into_pieces_of_sixteen_taps() -> None:
    signal = Convolution(258, 1, 1, (256,), (128,), (1,), (832,), (5,), batch=16)
    pieces = pieces_of(signal)
    assert pieces is not None
    assert (pieces.count, pieces.selects, pieces.first.output_size) == (16, 3, (1, 145))


def test_a_short_kernel_stays_whole() -> None:
    assert pieces_of(Convolution(64, 1, 1, (16,), (8,), (1,), (832,), (103,))) is None


@pytest.mark.parametrize(("normalised", "tasks"), [(False, 1_030), (True, 16_390)])
def test_a_fold_of_two_by_two_is_moved_position_by_position_for_a_norm(
    tmp_path: Path, *, normalised: bool, tasks: int
) -> None:
    network = Network(1, 64, 32, 32).conv(64, 64, (1, 1))
    for sizes, order in (((1024, 2, 16, 2), (0, 2, 1, 3)), ((1, 64, 256, 4), (0, 3, 2, 1))):
        shape = network.constant(f"shape_{sizes[0]}", np.array(sizes))
        network.add("Reshape", shape).add("Transpose", perm=order)
    network.add("Reshape", network.constant("tokens", np.array((4, 256, 64))))
    network.add(*(("ReduceMean",) if normalised else ("MatMul", network.weights("w", 64, 64))))
    unfold = layers(network.save(tmp_path / "x.onnx"))[1]
    assert (unfold.kind, moved_tasks(unfold, int8=False)) == ("unfold", tasks)


@pytest.mark.parametrize(
    ("name", "target", "dtype", "real_bytes"),
    [
        ("timm_mobilevit_xxs", "rk3588", "fp16", 13_455_343),
        ("timm_mobilevit_xxs", "rk3588", "int8", 12_983_689),
        ("dnsmos_bak_ovr", "rk3568", "fp16", 587_890),
        ("timm_mobilevit_xxs", "rk3568", "fp16", 5_157_295),
    ],
)
def test_what_is_unrolled_is_counted(
    tmp_path: Path, name: str, target: str, dtype: Dtype, real_bytes: int
) -> None:
    predicted = predict(open_onnx(unpacked(name, tmp_path)), target, dtype).file_bytes
    assert abs(predicted / real_bytes - 1) < 0.05


def test_a_recurrent_layer_is_counted_by_its_steps(tmp_path: Path) -> None:
    shapes = {"input": (16, 576), "h": (1, 1, 128), "c": (1, 1, 128)}
    network = open_onnx(unpacked("silero_sequence", tmp_path), shapes)
    prediction = predict(network, "rk3588", "fp16")
    (layer,) = (node for node in prediction.nodes if node.type == "LSTM")
    assert layer.command_bytes is not None
    assert 80_000 < layer.command_bytes < 200_000
    assert abs(prediction.file_bytes / 5_423_404 - 1) < 0.05
