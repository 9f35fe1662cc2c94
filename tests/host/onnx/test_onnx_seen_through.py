"""What `bench fix` sees through: sizes that are read off a map, arithmetic that changes nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx_networks import Network
from onnx_units import along_channels, sized_by_its_map, summed_from_zero
from rkbench.onnx import FixReport, fix, open_onnx
from rkbench.onnx.preparing import prepare

CLOSE = 1e-5


def fixed(network: Network, folder: Path, target: str = "rk3568", dtype: str = "fp16") -> FixReport:
    return fix(network.save(folder / "model.onnx"), target, dtype, folder / "fixed.onnx")


def kinds(report: FixReport) -> list[str]:
    return [change.rewrite for change in report.changes]


def is_exact(report: FixReport) -> bool:
    return report.verification is not None and report.verification.relative_difference < CLOSE


def prepared(network: Network, folder: Path) -> list[str]:
    opened = open_onnx(network.save(folder / "model.onnx"))
    prepare(opened.model, opened.numbers)
    return [node.op_type for node in opened.graph]


def test_a_size_that_is_read_off_a_map_of_fixed_size_is_a_constant(tmp_path: Path) -> None:
    report = fixed(sized_by_its_map(), tmp_path)
    assert kinds(report) == ["bilinear"]
    assert is_exact(report)
    assert "Shape" not in [node.op_type for node in onnx.load(tmp_path / "fixed.onnx").graph.node]


def test_a_size_that_is_read_off_a_map_of_open_size_stays_computed(tmp_path: Path) -> None:
    assert {"Shape", "Resize"} <= set(prepared(sized_by_its_map("N"), tmp_path))
    assert fixed(sized_by_its_map("N"), tmp_path).written is None


def test_a_size_that_the_graph_returns_stays_computed(tmp_path: Path) -> None:
    network = Network(1, 4, 8, 8).add("Relu").add("Shape").add("Cast", to=onnx.TensorProto.FLOAT)
    assert prepared(network, tmp_path) == ["Relu", "Shape", "Cast"]


def test_a_sum_that_begins_with_zero_becomes_one_convolution(tmp_path: Path) -> None:
    report = fixed(summed_from_zero(), tmp_path)
    assert kinds(report) == ["parallel_branches"] * 2
    assert is_exact(report)
    assert [node.op_type for node in onnx.load(tmp_path / "fixed.onnx").graph.node] == [
        "Conv",
        "Relu",
        "Conv",
        "Relu",
    ]


def test_a_sum_that_begins_with_another_number_keeps_it(tmp_path: Path) -> None:
    report = fixed(summed_from_zero(first=1.0), tmp_path)
    assert is_exact(report) or report.written is None
    assert prepared(summed_from_zero(first=1.0), tmp_path).count("Add") == 3


@pytest.mark.parametrize(
    ("op_type", "number", "stays"),
    [
        ("Add", np.zeros((), "float32"), False),
        ("Sub", np.zeros((1,), "float32"), False),
        ("Mul", np.ones((1, 1, 1), "float32"), False),
        ("Div", np.ones((), "float32"), False),
        ("Div", np.zeros((), "float32"), True),
        ("Mul", np.zeros((), "float32"), True),
        ("Add", np.ones((), "float32"), True),
        ("Mul", np.ones((8, 1, 1), "float32"), True),
        ("Add", np.zeros((2, 8, 8, 8), "float32"), True),
        ("Add", np.zeros((1, 1, 1, 1, 1), "float32"), True),
    ],
)
def test_arithmetic_that_changes_nothing_goes(
    tmp_path: Path, op_type: str, number: np.ndarray, stays: bool
) -> None:
    network = Network(1, 4, 8, 8).conv(4, 8)
    network.add(op_type, network.constant("number", number)).add("Relu")
    assert (op_type in prepared(network, tmp_path)) is stays


@pytest.mark.parametrize("op_type", ["Sub", "Div"])
def test_what_is_taken_from_0_or_divides_1_stays(tmp_path: Path, op_type: str) -> None:
    network = Network(1, 4, 8, 8).conv(4, 8)
    source = network.value
    network.value = network.constant("number", np.array(op_type == "Div", "float32"))
    assert op_type in prepared(network.add(op_type, source).add("Relu"), tmp_path)


@pytest.mark.parametrize("batch", [1, "N"])
def test_a_convolution_along_channels_becomes_one_along_rows(tmp_path: Path, batch: int | str) -> None:
    report = fixed(along_channels(batch), tmp_path)
    assert "channel_rows" in kinds(report)
    assert is_exact(report)
    weights = {
        tensor.name: list(tensor.dims) for tensor in onnx.load(tmp_path / "fixed.onnx").graph.initializer
    }
    assert weights["along_kernel"] == [2, 1, 8, 1]
    assert "kernel" not in weights


def test_few_channels_are_left_to_the_compiler(tmp_path: Path) -> None:
    assert "channel_rows" not in kinds(fixed(along_channels(channels=16), tmp_path))
