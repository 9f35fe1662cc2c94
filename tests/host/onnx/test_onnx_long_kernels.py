"""Kernels of more than 16 taps along one axis, which the compiler cuts: sizes of files of toolkit 2.5.0."""

from __future__ import annotations

from pathlib import Path

import pytest
from rkbench.inspection.prediction import predicted_sentence
from rkbench.onnx import open_onnx, predict
from rkbench.onnx.convolution import Convolution
from rkbench.onnx.fusion.unrolled import chain_of
from rkbench.rknn.targets import Dtype
from test_onnx_fusion import unpacked


@pytest.mark.parametrize(
    ("kernel", "inputs", "taps"),
    [((1, 16), 24, 0), ((1, 17), 24, 2), ((64, 1), 16, 4), ((1, 128), 3, 8), ((17, 17), 8, 0)],
)
def test_a_kernel_of_more_than_sixteen_taps_becomes_pieces(
    kernel: tuple[int, int], inputs: int, taps: int
) -> None:
    geometry = Convolution(32, inputs, 1, kernel, input_size=(128, 128), output_size=(128, 128))
    chain = chain_of(geometry)
    assert (0 if chain is None else chain.count) == taps
    assert chain is None or chain.is_padded


def test_depthwise_and_far_taps_stay() -> None:
    size = {"input_size": (1, 128), "output_size": (1, 128)}
    assert chain_of(Convolution(32, 32, 32, (1, 21), **size)) is None
    assert chain_of(Convolution(32, 32, 1, (1, 21), dilations=(1, 2), **size)) is None


@pytest.mark.parametrize(
    ("name", "target", "dtype", "size_bytes"),
    [
        ("au_crepe_tiny", "rk3588", "int8", 2_249_858),
        ("ts_xcm", "rk3588", "fp16", 1_121_832),
        ("ts_xcm", "rk3568", "int8", 592_322),
        ("ts_inceptiontime", "rk3568", "fp16", 1_219_304),
        ("ts_omniscale", "rk3588", "fp16", 2_466_920),  # the parts of its Concat are signals of 59 channels
    ],
)
def test_networks_of_long_kernels_are_predicted_as_they_were_converted(
    name: str, target: str, dtype: Dtype, size_bytes: int, tmp_path: Path
) -> None:
    path = unpacked(name, tmp_path)
    prediction = predict(open_onnx(path), target, dtype)
    assert abs(prediction.file_bytes / size_bytes - 1) < 0.08
    long = name != "ts_omniscale"
    assert ("of commands: a long kernel, cut into short ones" in predicted_sentence(path, prediction)) is long
