"""Which layers compute on the CPU, and which in float."""

from __future__ import annotations

from pathlib import Path

import pytest
from rkbench.rknn import open_model
from rkbench.rknn.placement import placement

MODELS = Path(__file__).parents[2] / "data/models"


@pytest.mark.parametrize(
    ("file", "on_cpu", "in_float", "is_quantized"),
    [
        ("causes/divsqrt.rk3588.int8.rknn", ["Div:c", "Sqrt:d", "AveragePool:y"], [], True),
        ("hybrid_some_rk3588.rknn", [], ["Conv:Conv_71", "Conv:Conv_75"], True),
        (
            "causes/unused_topk.rk3568.fp16.rknn",
            ["TopK:TopK", "Cast:Cast_8"],
            ["Conv:Conv_3", "TopK:TopK", "Reshape:Cast_8-rs"],
            False,
        ),
    ],
)
def test_layers_are_placed_as_inspect_names_them(
    file: str, on_cpu: list[str], in_float: list[str], is_quantized: bool
) -> None:
    with open_model(MODELS / file) as model:
        found = placement(model.contents)
    assert [node.name for node in found.on_cpu] == on_cpu
    assert [node.name for node in found.in_float] == in_float
    assert found.is_quantized == is_quantized
