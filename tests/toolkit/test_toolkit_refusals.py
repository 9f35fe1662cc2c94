"""What the real converter refuses, told with its cause and cure; the other recipes go on."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from bench_command import run_bench
from onnx import TensorProto, helper
from onnx_networks import Network
from rkbench.toolkit.environment import installed_versions
from rkbench.toolkit.versions import DEFAULT

pytestmark = pytest.mark.timeout(600)


def hard_sigmoid(path: Path) -> None:
    net = Network(1, 8, 8, 8).conv(8, 8)
    gated = net.value
    net.add("HardSigmoid").add("Mul", gated).save(path)


def newer_opset(path: Path) -> None:
    Network(1, 8, 8, 8).conv(8, 8).add("Relu").save(path)
    model = onnx.load(path)
    model.opset_import[0].version = 23
    onnx.save(model, path)


def foreign_op(path: Path) -> None:
    Network(1, 8, 8, 8).conv(8, 8).add("Relu", name="own").save(path)
    model = onnx.load(path)
    model.graph.node[-1].op_type, model.graph.node[-1].domain = "MyOwn", "my.domain"
    model.opset_import.append(helper.make_opsetid("my.domain", 1))
    model.graph.output[0].type.CopyFrom(
        helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 8, 8, 8)).type
    )
    onnx.save(model, path)


def shape_of_values(path: Path) -> None:
    Network(1, 8, 8, 8).conv(8, 8).add("NonZero").add("Cast", to=TensorProto.FLOAT).save(path)


@pytest.mark.parametrize(
    ("make", "recipe", "words"),
    [
        (hard_sigmoid, "fp16", "HardSigmoid without alpha or beta"),
        (newer_opset, "fp16", "newer opset"),
        (foreign_op, "fp16", "an op of a domain of its own"),
        (shape_of_values, "fp16", "the NPU takes fixed graphs only"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_refusal_is_told_with_its_cause(tmp_path: Path, make: object, recipe: str, words: str) -> None:
    if DEFAULT not in installed_versions():
        pytest.skip(f"no rknn-toolkit2 {DEFAULT}: bench toolkit install {DEFAULT}")
    assert callable(make)
    make(tmp_path / "net.onnx")
    done = run_bench(
        "convert", tmp_path / "net.onnx", "--target", "rk3588", "--recipe", recipe, "--random-calibration",
        "-o", tmp_path / "out",
    )  # fmt: skip
    said = " ".join(done.stdout.split())
    assert done.returncode == 1, done.stderr
    assert f"failed: {recipe}: net.onnx" in said
    assert words in said
