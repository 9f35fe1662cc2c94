"""Three branches of one map that are added: where they stand decides whether they become one kernel."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx_networks import Network
from rkbench.onnx import fix, predict_size


def branches(folder: Path, order: str) -> Path:
    """Save kernels of 3x3, 3x1 and 1x3 (a, b, c) over one map and their sum; `+` stands for an Add."""
    network = Network(1, 3, 32, 32).conv(3, 32).add("Relu")
    source, waiting, total = network.value, list[str](), ""
    for letter in order:
        if letter == "+":
            network.value = total or waiting.pop(0)
            total = network.add("Add", waiting.pop(0)).value
            continue
        network.value = source
        kernel = {"a": (3, 3), "b": (3, 1), "c": (1, 3)}[letter]
        waiting.append(network.conv(32, 32, kernel, name=letter).value)
    network.value = total
    return network.add("Relu").save(folder / "x.onnx")


@pytest.mark.parametrize(("order", "size"), [("abc++", 78_898), ("ab+c+", 49_458)])
def test_a_third_branch_before_the_first_sum_leaves_all_apart(tmp_path: Path, order: str, size: int) -> None:
    """Both were converted (rk3588 in fp16)."""
    prediction = predict_size(branches(tmp_path, order), "rk3588", "fp16")
    assert prediction.file_bytes == pytest.approx(size, rel=0.02)


def test_branches_of_groups_are_one_before_each_is_regrouped(tmp_path: Path) -> None:
    """FastViT-T8, rk3588 fp16: 11,062,510 bytes with each regrouped, 9,439,470 merged first."""
    network = Network(1, 64, 16, 16).conv(64, 64, (1, 1)).add("Relu")
    source = network.value
    wide = network.conv(64, 128, (7, 7), 64, name="wide").value
    network.value = source
    network.conv(64, 128, (3, 3), 64, name="narrow").add("Add", wide, name="sum")
    report = fix(network.save(tmp_path / "x.onnx"), "rk3588", "fp16", tmp_path / "y.onnx")
    assert report.changes[0].rewrite == "parallel_branches"
    assert sum(node.op_type == "Add" for node in onnx.load(tmp_path / "y.onnx").graph.node) == 0
