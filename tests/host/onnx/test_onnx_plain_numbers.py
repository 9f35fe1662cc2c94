"""Numbers that the converter refuses for how they are written (toolkit 2.5.0), and their cure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_networks import Network
from onnx_units import bare_numbers, padded, padded_by_a_constant
from rkbench.onnx import fix, predict_size
from rkbench.onnx.prediction import Prediction

WRITTEN_INTO = "ValueError: assignment destination is read-only"
AROUND = (0, 0, 1, 1, 0, 0, 1, 1)


def predicted(path: Path) -> Prediction:
    return predict_size(path, "rk3588", "fp16")


def sentences(path: Path) -> list[str]:
    return [refusal.sentence for refusal in predicted(path).refusals]


def conv(network: Network) -> Network:
    return network.conv(16, 16)


def averaged(network: Network, **attributes: Any) -> Network:
    return network.add("AveragePool", kernel_shape=[3, 3], **attributes)


@pytest.mark.parametrize("make", [padded, padded_by_a_constant])
def test_pads_in_one_piece_before_a_convolution_are_refused_and_listed(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    path = make(tmp_path)
    assert sentences(path) == [WRITTEN_INTO]
    report = fix(path, "rk3588", "fp16", tmp_path / "fixed.onnx")
    assert [(change.rewrite, change.node) for change in report.changes] == [("spelled_out", "pad")]
    assert report.verification is not None and report.verification.relative_difference == 0
    assert sentences(tmp_path / "fixed.onnx") == []


@pytest.mark.parametrize(
    ("behind", "refused"),
    [
        (lambda network: network.add("Identity").conv(16, 16), True),
        (lambda network: network.add("Mul", network.weights("scale", 1, 16, 1, 1)).conv(16, 16), True),
        (lambda network: network.add("GlobalAveragePool"), True),
        (lambda network: network.add("ReduceMean", axes=[-1, -2]), True),
        (averaged, True),
        (lambda network: averaged(network, count_include_pad=1), False),
        (lambda network: averaged(network, pads=[1, 1, 1, 1]), False),
        (lambda network: network.add("ReduceMean", axes=[3]), False),
        (lambda network: network.add("MaxPool", kernel_shape=[3, 3]), False),
        (lambda network: network.add("Relu").conv(16, 16), False),
        (lambda network: network.add("Mul", network.weights("scale", 1, 16, 1, 1)), False),
        (lambda network: network.add("Mul", network.value).conv(16, 16), False),
    ],
)
def test_only_what_is_joined_with_a_convolution_is_refused(
    tmp_path: Path, behind: Callable[[Network], Network], *, refused: bool
) -> None:
    assert sentences(padded(tmp_path, behind=behind)) == [WRITTEN_INTO] * refused


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        ({}, True),
        ({"pads": (0, 0, 0, 0, 0, 8, 1, 1)}, True),
        ({"pads": (0,) * 8}, False),
        ({"pads": (0, 0, 1, 1, 0, 0, -1, -1)}, False),
        ({"value": 0.0}, True),
        ({"value": 1.0}, False),
        ({"mode": "edge"}, False),
        ({"mode": "reflect"}, False),
    ],
)
def test_only_pads_of_zeros_that_are_added_are_refused(
    tmp_path: Path, options: dict[str, Any], *, refused: bool
) -> None:
    channels = 16 + sum(options.get("pads", AROUND)[1::4])
    path = padded(tmp_path, behind=lambda network: network.conv(channels, 16), **options)
    assert sentences(path) == [WRITTEN_INTO] * refused


def test_listed_and_computed_pads_convert(tmp_path: Path) -> None:
    model = onnx.load(padded(tmp_path))
    pads = next(one for one in model.graph.initializer if one.name == "pads")
    listed = helper.make_tensor("pads", TensorProto.INT64, [8], AROUND)
    narrow = numpy_helper.from_array(numpy_helper.to_array(pads).astype("int32"), "narrow")
    pads.CopyFrom(listed)
    onnx.save(model, tmp_path / "listed.onnx")
    pads.CopyFrom(narrow)
    model.graph.node.insert(0, helper.make_node("Cast", ["narrow"], ["pads"], to=TensorProto.INT64))
    onnx.save(model, tmp_path / "computed.onnx")
    assert sentences(tmp_path / "listed.onnx") == sentences(tmp_path / "computed.onnx") == []


def test_a_map_that_two_read_converts(tmp_path: Path) -> None:
    def behind(network: Network) -> Network:
        source = network.value
        first = network.conv(16, 16).value
        network.value = source
        return network.conv(16, 16).add("Add", first)

    assert sentences(padded(tmp_path, behind=behind)) == []


@pytest.mark.parametrize(
    ("attribute", "held", "kind"),
    [
        ("value_float", 2.0, "float"),
        ("value_floats", [2.0], "list"),
        ("value_int", 2, "int"),
        ("value_ints", [2], "list"),
    ],
)
def test_constants_without_a_tensor_are_refused_and_get_one(
    tmp_path: Path, attribute: str, held: object, kind: str
) -> None:
    path = bare_numbers(tmp_path, attribute, held)
    assert sentences(path) == [f"AttributeError: '{kind}' object has no attribute 'HasField'"]
    report = fix(path, "rk3588", "fp16", tmp_path / "fixed.onnx")
    assert [change.rewrite for change in report.changes] == ["spelled_out"]
    assert report.verification is not None and report.verification.relative_difference == 0
    assert sentences(tmp_path / "fixed.onnx") == []
    kept = next(node for node in onnx.load(tmp_path / "fixed.onnx").graph.node if node.op_type == "Constant")
    assert [one.name for one in kept.attribute] == ["value"]
    assert np.array_equal(numpy_helper.to_array(kept.attribute[0].t), np.array(held))


def test_text_in_a_constant_is_refused_and_stays(tmp_path: Path) -> None:
    path = bare_numbers(tmp_path, "value_float", 2.0)
    model = onnx.load(path)
    model.graph.node.insert(0, helper.make_node("Constant", [], ["text"], value_string="text"))
    onnx.save(model, path)
    assert sentences(path) == ["AttributeError: 'bytes' object has no attribute 'HasField'"]
    assert "in this file: 2" in str(predicted(path).refusals[0].reason)


def test_pads_of_a_constant_without_a_tensor_are_made_one_and_listed(tmp_path: Path) -> None:
    model = onnx.load(padded(tmp_path))
    pads = next(one for one in model.graph.initializer if one.name == "pads")
    model.graph.initializer.remove(pads)
    model.graph.node.insert(0, helper.make_node("Constant", [], ["pads"], value_ints=list(AROUND)))
    path = tmp_path / "both.onnx"
    onnx.save(model, path)
    fix(path, "rk3588", "fp16", tmp_path / "fixed.onnx")
    assert sentences(tmp_path / "fixed.onnx") == []


def test_computed_pads_are_listed_without_a_word_where_another_rewrite_is_made(tmp_path: Path) -> None:
    """The converter refuses RestoreFormer's pads no more than these."""

    def behind(network: Network) -> Network:
        return network.conv(16, 256, (1, 1)).add("Relu").conv(256, 256, (3, 3), 64)

    model = onnx.load(padded(tmp_path, behind=behind))
    pads = next(one for one in model.graph.initializer if one.name == "pads")
    pads.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(pads).astype("int32"), "narrow"))
    model.graph.node.insert(0, helper.make_node("Cast", ["narrow"], ["pads"], to=TensorProto.INT64))
    onnx.save(model, tmp_path / "computed.onnx")
    report = fix(tmp_path / "computed.onnx", "rk3588", "fp16", tmp_path / "fixed.onnx")
    assert [change.rewrite for change in report.changes] == ["regroup"]
    assert sentences(tmp_path / "fixed.onnx") == []


def test_a_long_way_to_the_convolution_ends_in_an_answer(tmp_path: Path) -> None:
    def behind(network: Network) -> Network:
        for _ in range(2_000):
            network.add("Identity")
        return network.conv(16, 16)

    assert sentences(padded(tmp_path, behind=behind)) == [WRITTEN_INTO]
