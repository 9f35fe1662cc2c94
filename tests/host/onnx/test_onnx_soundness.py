"""An ONNX that says what no network is like is refused by name, before anything is counted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto
from onnx_networks import grouped
from rkbench.errors import ModelError
from rkbench.onnx import fix, predict_size


def _group(count: int) -> Callable[[onnx.GraphProto], None]:
    def change(graph: onnx.GraphProto) -> None:
        node = next(node for node in graph.node if node.name == "target")
        next(attribute for attribute in node.attribute if attribute.name == "group").i = count

    return change


def _attribute(name: str, *values: int) -> Callable[[onnx.GraphProto], None]:
    def change(graph: onnx.GraphProto) -> None:
        node = next(node for node in graph.node if node.name == "target")
        node.attribute.append(onnx.helper.make_attribute(name, values))

    return change


def _weights(graph: onnx.GraphProto) -> TensorProto:
    return next(tensor for tensor in graph.initializer if tensor.name == "target_w")


def _cut_raw(graph: onnx.GraphProto) -> None:
    _weights(graph).raw_data = _weights(graph).raw_data[:-4]


def _cut_floats(graph: onnx.GraphProto) -> None:
    _weights(graph).ClearField("raw_data")
    _weights(graph).float_data.extend([1.0, 2.0])


def _dims(*dims: int) -> Callable[[onnx.GraphProto], None]:
    return lambda graph: _weights(graph).dims.__setitem__(slice(None), dims)


def _input(size: int) -> Callable[[onnx.GraphProto], None]:
    def change(graph: onnx.GraphProto) -> None:
        for dim in graph.input[0].type.tensor_type.shape.dim[2:]:
            dim.dim_value = size

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_group(0), "'target' has 0 groups"),
        (_group(-1), "'target' has -1 groups"),
        (_group(10**9), "'target' has 1000000000 groups"),
        (_group(7), "'target' has 7 groups for 64 channels"),
        (_cut_raw, "'target_w' holds 36,860 bytes, and its shape needs 36,864"),
        (_cut_floats, "'target_w' holds 2 numbers, and its shape needs 9,216"),
        (_dims(2**31, 16, 3, 3), "has the shape 2147483648x16x3x3"),
        (_dims(2**62, 2**62, 3, 3), "which no network has"),
        (_dims(-1, 16, 3, 3), "has the shape -1x16x3x3"),
        (_input(2**31), "has the shape 1x4x2147483648x2147483648"),
        (_attribute("strides", 0, 1), "has strides [0, 1]"),
        (_attribute("dilations", 1), "has dilations [1]"),
        (_attribute("dilations", -1, 2**40), "has dilations [-1, 1099511627776]"),
    ],
)
def test_what_no_network_is_like_is_refused(
    tmp_path: Path, change: Callable[[onnx.GraphProto], None], words: str
) -> None:
    path = grouped(64, 16).save(tmp_path / "m.onnx")
    model = onnx.load(path)
    change(model.graph)
    path.write_bytes(model.SerializeToString())
    for use in (
        lambda: predict_size(path, "rk3588", "fp16"),
        lambda: fix(path, "rk3588", "fp16", tmp_path / "out.onnx"),
    ):
        with pytest.raises(ModelError) as error:
            use()
        assert words in error.value.message
        assert error.value.hint
