"""Why a layer is float or on the CPU: what shape, dtype and neighbours show, else that it is not known."""

from __future__ import annotations

import pytest
from rkbench.inspect.answers import FourAnswers
from rkbench.inspect.inspect_model import inspect_model
from rknn_writer import CONVOLUTION, FileSpec, GraphSpec, NodeSpec, TensorSpec, opened, write_model


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
            "a transpose of 12,288 positions (128x96): the NPU does up to",
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
        ("TopK", "INT8", (1, 8, 8, 8), "not known: no file seen runs TopK on an NPU"),
    ],
)
def test_the_cpu_has_a_reason_only_where_the_file_shows_it(
    kind: str, dtype: str, shape: tuple[int, ...], reason: str
) -> None:
    (found,) = answers(layer(kind, dtype, shape)).float_or_cpu_layers.cpu
    assert found.reason.startswith(reason)


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
