"""Why a layer is float or on the CPU: what shape, dtype and neighbours show, else that it is not known."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from rkbench.inspection.answers import FourAnswers
from rkbench.inspection.inspect_model import inspect_model
from rkbench.rknn import open_model
from rknn_writer import CONVOLUTION, MODELS, FileSpec, GraphSpec, NodeSpec, TensorSpec, opened, write_model


def layer(kind: str, dtype: str, shape: tuple[int, ...], target: int = 0, after: str = "") -> FileSpec:
    """Return an int8 file of one layer of this kind, and of another one behind it."""
    tensors = (
        TensorSpec("x", kind="input", dtype=dtype),
        TensorSpec("a", dtype=dtype, shape=shape),
        TensorSpec("y", kind="output", dtype=dtype, shape=shape),
        TensorSpec("elsewhere", dtype="INT8", scale=(0.5,), zero_point=(3,)),
    )
    nodes = [NodeSpec(f"{kind}:a", kind, target, (0,), (1,))]
    nodes.append(
        NodeSpec(f"{after}:y", after, 2, (1,), (2,))
        if after
        else NodeSpec("Reshape:y", "Reshape", 0, (1,), (2,))
    )
    return FileSpec((GraphSpec(tensors, tuple(nodes), (0,), (2,)),), target="rk3568")


@pytest.mark.parametrize(
    ("step", "reason"), [(3, "its step of 3: the NPU ran Slices of step 1"), (1, "not known")]
)
def test_a_slice_is_on_the_cpu_for_its_step(step: int, reason: str) -> None:
    """VideoPose's two Slices of step 3 were told as a matter of shape, padding, order or dtype."""
    spec = layer("Slice", "FLOAT16", (1, 8, 1, 9))
    graph = spec.graphs[0]
    stored = tuple(
        TensorSpec(name, kind="cpu_constant", dtype="INT64", shape=(1,), data=struct.pack("<q", number))
        for name, number in (("starts", 0), ("ends", 27), ("axes", 3), ("steps", step))
    )
    sliced = replace(graph.nodes[0], inputs=(0, 4, 5, 6, 7))
    graph = replace(graph, tensors=(*graph.tensors, *stored), nodes=(sliced, *graph.nodes[1:]))
    (found,) = answers(replace(spec, graphs=(graph,))).float_or_cpu_layers.cpu
    assert found.reason.startswith(reason)


@pytest.mark.parametrize("dtype", ["FLOAT16", "INT8"])
def test_a_stored_number_is_divided_by_a_map_on_the_cpu_at_either_dtype(dtype: str) -> None:
    spec = layer("Div", dtype, (1, 8, 1, 1))
    graph = spec.graphs[0]
    one = TensorSpec("one", kind="cpu_constant", dtype=dtype, shape=(1, 1, 1, 1), data=bytes(4))
    divided = replace(graph.nodes[0], inputs=(4, 0))
    graph = replace(graph, tensors=(*graph.tensors, one), nodes=(divided, *graph.nodes[1:]))
    (found,) = answers(replace(spec, graphs=(graph,))).float_or_cpu_layers.cpu
    assert found.reason.startswith("not known: no file seen divides a stored number by a map")


def answers(spec: FileSpec) -> FourAnswers:
    with opened(write_model(spec)) as model:
        return inspect_model(model).answers


@pytest.mark.parametrize(
    ("kind", "dtype", "shape", "reason"),
    [
        (
            "Transpose",
            "INT8",
            (1, 8, 128, 96),
            "a transpose of 12,288 positions (128x96): the vendor's list of the NPU ends at",
        ),
        ("Transpose", "INT8", (1, 8, 8, 8), "not known: the NPU runs Transpose in other files"),
        ("Div", "INT8", (1, 8, 8, 8), "its dtype: the NPU runs Div in float16, not in int8"),
        ("AveragePool", "INT8", (1, 8, 8, 8), "not known: the NPU runs AveragePool in other files"),
        (
            "exSoftmax13",
            "FLOAT16",
            (1, 8, 8, 8),
            "not known: rk3588 runs exSoftmax13 on its NPU, no file seen",
        ),
        ("TopK", "INT8", (1, 8, 8, 8), "not known: no file seen has a layer of kind TopK on its NPU"),
        ("Gather", "FLOAT16", (1, 8, 8, 8), "not known: the NPU runs Gather in other files"),
    ],
)
def test_the_cpu_has_a_reason_only_where_the_file_shows_it(
    kind: str, dtype: str, shape: tuple[int, ...], reason: str
) -> None:
    (found,) = answers(layer(kind, dtype, shape)).float_or_cpu_layers.cpu
    assert found.reason.startswith(reason)


def test_the_npu_of_an_rk3588_does_transposes_that_the_vendors_list_denies_it() -> None:
    spec = replace(layer("Transpose", "FLOAT16", (1, 8, 128, 96)), target="rk3588")
    (found,) = answers(spec).float_or_cpu_layers.cpu
    assert found.reason.startswith("not known: the NPU runs Transpose in other files")


def test_a_softmax_at_the_end_is_left_float_by_the_toolkit() -> None:
    (found,) = answers(layer("exSoftmax13", "FLOAT16", (1, 8, 4, 4))).float_or_cpu_layers.float
    assert found.reason == "the toolkit leaves a softmax at the end float by itself"
    first, _ = answers(layer("exSoftmax13", "FLOAT16", (1, 8, 4, 4), after="Mul")).float_or_cpu_layers.float
    assert first.reason.startswith("not known")


def test_the_parts_of_a_dilated_convolution_are_no_setting_of_anybody() -> None:
    float_kernel = TensorSpec("w", kind="weight", shape=(64, 64, 3, 3), data=b"w" * 73_728)
    tensors = (
        TensorSpec("x", kind="input", dtype="INT8", shape=(1, 64, 9, 9), scale=(0.5,), zero_point=(3,)),
        float_kernel,
        TensorSpec("a", shape=(1, 64, 9, 9)),
        TensorSpec("y", kind="output", shape=(1, 64, 9, 9)),
    )
    nodes = (
        NodeSpec("Conv:big#1", "Conv", 2, (0, 1), (2,), options_type=CONVOLUTION, dilations=(24, 24)),
        NodeSpec("Conv:big#2", "ConvAdd", 2, (2,), (3,)),
    )
    with opened(write_model(FileSpec((GraphSpec(tensors, nodes, (0,), (3,)),)))) as model:
        inspection = inspect_model(model)
    found = inspection.answers.float_or_cpu_layers.float
    assert {item.reason for item in found} == {
        "a part of a dilated convolution, which the toolkit sums in float by itself"
    }
    cause = next(cause for cause in inspection.causes if cause.code == "float_layers")
    assert [fix.kind for fix in cause.fix] == ["nothing"]


@pytest.mark.parametrize(
    ("producer", "readers", "step", "named"),
    [
        ("Conv", 2, 0.16, ["s"]),
        ("Conv", 1, 0.16, []),
        ("ConvRelu", 2, 0.16, []),
        ("Conv", 2, 0.03, []),
    ],
    ids=[
        "two readers",
        "one reader",
        "another activation is fused already",
        "steps no coarser than the output's",
    ],
)
def test_a_sigmoid_is_coarse_where_the_convolution_before_has_another_reader(
    producer: str, readers: int, step: float, named: list[str]
) -> None:
    tensors = (
        TensorSpec("x", kind="input", dtype="INT8", scale=(0.1,), zero_point=(0,)),
        TensorSpec("w", kind="weight", dtype="INT8", shape=(8, 8, 1, 1), data=bytes(64)),
        TensorSpec("c", dtype="INT8", scale=(step,), zero_point=(0,)),
        TensorSpec("scores", kind="output", dtype="INT8", scale=(1 / 255,), zero_point=(-128,)),
        TensorSpec("pooled", kind="output", dtype="INT8", scale=(step,), zero_point=(0,)),
    )
    nodes = [
        NodeSpec(f"{producer}:c", producer, 2, (0, 1), (2,)),
        NodeSpec("Sigmoid:s", "Sigmoid", 2, (2,), (3,)),
        NodeSpec("MaxPool:p", "MaxPool", 2, (2,), (4,)),
    ][: readers + 1]
    spec = FileSpec((GraphSpec(tensors, tuple(nodes), (0,), (3,)),), target="rk3588")
    found = answers(spec).float_or_cpu_layers
    assert [layer.name for layer in found.coarse] == named
    assert ("1 Sigmoid not fused" in found.answer) == bool(named)


@pytest.mark.parametrize(("name", "named"), [("sigmoid_two_readers", ["s"]), ("sigmoid_own_conv", [])])
def test_a_convolution_of_its_own_is_fused_with_the_sigmoid(name: str, named: list[str]) -> None:
    with open_model(MODELS / f"causes/{name}.rk3588.int8.rknn") as model:
        coarse = inspect_model(model).answers.float_or_cpu_layers.coarse
    assert [layer.name for layer in coarse] == named
