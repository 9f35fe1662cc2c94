"""Sizes that an ONNX leaves open are given, or counted as 1 and asked for."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx_networks import Network
from rkbench.errors import UsageError
from rkbench.onnx import parse_input_shapes, predict_size


@pytest.fixture
def open_sizes(tmp_path: Path) -> Path:
    """Return a network whose input is Nx16xHxW."""
    path = Network(1, 16, 8, 8).conv(16, 16, (3, 3)).save(tmp_path / "x.onnx")
    model = onnx.load(path)
    for dim, name in zip(model.graph.input[0].type.tensor_type.shape.dim, "N HW", strict=True):
        if name != " ":
            dim.dim_param = name
    del model.graph.value_info[:]
    model.graph.output[0].type.tensor_type.ClearField("shape")
    onnx.save(model, path)
    return path


def test_a_given_shape_fills_in_what_is_open(open_sizes: Path) -> None:
    small = predict_size(open_sizes, "rk3588", "fp16")
    large = predict_size(open_sizes, "rk3588", "fp16", input_shapes={"x": (1, 16, 320, 320)})
    assert small.notes == ("input x: dimensions N, H, W counted as 1 (--input-shape x=Nx16xNxN)",)
    assert large.notes == ()
    assert large.command_bytes > small.command_bytes
    assert large.weight_bytes == small.weight_bytes


def test_a_shape_that_contradicts_the_file_is_refused(open_sizes: Path) -> None:
    with pytest.raises(UsageError, match="input x is Nx16xHxW in the file, not 1x3x8x8"):
        predict_size(open_sizes, "rk3588", "fp16", input_shapes={"x": (1, 3, 8, 8)})


def test_a_shape_of_what_is_one_number_is_refused(tmp_path: Path) -> None:
    net = Network(1, 16, 8, 8)
    net.extra_inputs.append(onnx.helper.make_tensor_value_info("rate", onnx.TensorProto.FLOAT, ()))
    path = net.conv(16, 16, (3, 3)).add("Mul", "rate").save(tmp_path / "x.onnx")
    with pytest.raises(UsageError, match="input rate is one number in the file, not 1") as caught:
        predict_size(path, "rk3588", "fp16", input_shapes={"rate": (1,)})
    assert "leave it out" in (caught.value.hint or "")


def test_an_unknown_input_is_refused_and_the_inputs_are_named(open_sizes: Path) -> None:
    with pytest.raises(UsageError) as caught:
        predict_size(open_sizes, "rk3588", "fp16", input_shapes={"y": (1, 16, 8, 8)})
    assert caught.value.hint == "inputs: x"


def test_shapes_are_typed_with_their_input() -> None:
    assert parse_input_shapes(["a=1x3x8x8", "b:0=1"]) == {"a": (1, 3, 8, 8), "b:0": (1,)}


@pytest.mark.parametrize("text", ["1x3x8x8", "a=", "a=1xNx8", "a=1x0x8", "=1x2"])
def test_what_is_no_shape_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no input shape"):
        parse_input_shapes([text])


def test_a_size_of_minus_1_is_an_open_one(open_sizes: Path) -> None:
    model = onnx.load(open_sizes)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = -1
    shape = model.graph.output[0].type.tensor_type.shape
    for size in (-1, 16, -1, -1):
        shape.dim.add(dim_value=size)
    onnx.save(model, open_sizes)
    assert predict_size(open_sizes, "rk3588", "fp16", input_shapes={"x": (1, 16, 8, 8)}).notes == ()
