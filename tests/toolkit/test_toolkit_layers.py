"""Large nets of random weights, each layer against onnxruntime: computed from the files alone."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from rkbench.inspection.against import compare_with_onnx
from rkbench.rknn import open_model

sys.path.insert(0, str(Path(__file__).parents[2] / "tools/npu_nets"))

from converted import converted

NETS = ("mobilenetv2-12", "resnet50-v2-7", "yolov5n", "yolov8n")


@pytest.mark.parametrize("target", ["rk3588", "rk3568"])
@pytest.mark.parametrize("name", NETS)
def test_no_layer_is_below_a_cosine_of_0_995_by_itself(name: str, target: str) -> None:
    files = converted(name, target)
    if files is None:
        pytest.skip("no rknn-toolkit2: bench toolkit install")
    with open_model(files[1]) as model:
        found = compare_with_onnx(model, files[0])
    worst = min(found.layers, key=lambda each: each.own_cosine)
    print(f"| {name} | {target} | {len(found.layers)} | {worst.own_cosine:.5f} | {worst.layer} |")
    assert len(found.layers) >= 50
    assert worst.own_cosine >= 0.995, worst
