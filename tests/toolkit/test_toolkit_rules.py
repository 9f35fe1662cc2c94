"""The rules of `rkbench.rknn.targets`, asked of the compiler again."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx_networks import grouped
from rkbench.onnx import predict_size
from rkbench.rknn import open_model
from rkbench.rknn.targets import Dtype
from toolkit_jobs import Convert, converted

CHANNELS_PER_GROUP = (3, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48)
DENSE_ELEMENTS = 480 * 480 * 9
KEPT: dict[tuple[str, Dtype], set[int]] = {
    ("rk3588", "fp16"): {8, 16, 24, 32, 40, 48},
    ("rk3588", "int8"): {16, 32, 48},
    ("rk3568", "fp16"): {8, 12, 16, 20, 24, 32, 40, 48},
    ("rk3568", "int8"): {8, 16, 24, 32, 40, 48},
}
BLOAT = "bloat3M_groupconv_cpg4.onnx"


def constants_of(path: Path) -> int:
    """Return the constants of a .rknn, in bytes: weights, and what the compiler adds to them.

    On the rk3568 an int8 output whose rows are whole blocks of 8 pixels adds a table of 5,120 B, by which it
    is put in order.
    """
    with open_model(path) as model:
        return model.sections.weights + model.sections.compiler_constants


@pytest.mark.parametrize(("target", "dtype"), KEPT)
def test_the_compiler_keeps_the_multiples_that_we_say(
    tmp_path: Path, convert: Convert, target: str, dtype: Dtype
) -> None:
    kept = set()
    dense_bytes = DENSE_ELEMENTS * (2 if dtype == "fp16" else 1)
    for per_group in CHANNELS_PER_GROUP:
        path = grouped(480, per_group).save(tmp_path / f"cpg{per_group}.onnx")
        constants = constants_of(convert(path, target, dtype)["output"])
        predicted = predict_size(path, target, dtype).weight_bytes
        assert abs(predicted - constants) <= 0.03 * constants, f"{per_group} channels per group"
        if constants < dense_bytes:
            kept.add(per_group)
    assert kept == KEPT[target, dtype]


@pytest.mark.parametrize(
    ("target", "dtype"), [("rk3588", "fp16"), ("rk3588", "int8"), ("rk3568", "int8"), ("rk3568", "fp16")]
)
def test_the_bloated_network_is_predicted_within_3_percent(
    data: Path, convert: Convert, target: str, dtype: Dtype
) -> None:
    path = data / "models" / BLOAT
    answer = convert(path, target, dtype)
    prediction = predict_size(path, target, dtype)
    real = constants_of(answer["output"])
    assert abs(prediction.weight_bytes - real) <= 0.03 * real
    assert abs(prediction.file_bytes - answer["size_bytes"]) <= 0.03 * answer["size_bytes"]


def test_toolkit_2_3_0_makes_four_channels_dense_on_rk3568_fp16(tmp_path: Path) -> None:
    path = grouped(480, 4).save(tmp_path / "cpg4.onnx")
    answer = converted({"onnx": path, "target": "rk3568", "dtype": "fp16"}, "2.3.0")
    assert answer["size_bytes"] > DENSE_ELEMENTS * 2
