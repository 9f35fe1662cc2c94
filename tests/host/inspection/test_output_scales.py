"""One scale over parts of very different range, from the file alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rkbench.inspection.inspect_model import inspect_model
from rkbench.views.inspect.console import render_console
from rkbench.views.inspect.html import render_html
from rknn_writer import FileSpec, GraphSpec, NodeSpec, TensorSpec, opened, write_model

STEP = 640 / 255


def detector(score_layer: str = "ConvSigmoid", step: float = STEP, join: str = "Concat") -> FileSpec:
    """Return an int8 detector whose boxes and scores are joined in one output."""
    tensors = (
        TensorSpec("", kind="null", dtype="", shape=()),
        TensorSpec("x", kind="input", dtype="INT8", scale=(0.5,), zero_point=(0,)),
        TensorSpec("boxes", dtype="INT8", shape=(1, 4, 8400), scale=(step,), zero_point=(-128,)),
        TensorSpec("scores", dtype="INT8", shape=(1, 80, 8400), scale=(step,), zero_point=(-128,)),
        TensorSpec("joined", dtype="INT8", shape=(1, 84, 8400), scale=(step,), zero_point=(-128,)),
        TensorSpec("y", kind="output", dtype="INT8", shape=(1, 84, 8400), scale=(step,), zero_point=(-128,)),
    )
    nodes = (
        NodeSpec("InputOperator:x", "InputOperator", 0, (), (1,)),
        NodeSpec("Conv:boxes", "Conv", 2, (1,), (2,)),
        NodeSpec("Conv:scores", score_layer, 2, (1,), (3,)),
        NodeSpec("Concat:/head/Concat_5", join, 2, (2, 3), (4,)),
        NodeSpec("Reshape:out", "Reshape", 2, (4,), (5,)),
        NodeSpec("OutputOperator:y", "OutputOperator", 0, (5,), ()),
    )
    return FileSpec((GraphSpec(tensors, nodes, (1,), (5,)),))


def test_scores_beside_boxes_in_one_int8_output_are_named_with_the_cure() -> None:
    with opened(write_model(detector())) as model:
        inspection = inspect_model(model)
    (found,) = inspection.coarse_outputs
    assert [(part.name, part.shape, part.range) for part in found.parts] == [("scores", (1, 80, 8400), 1.0)]
    assert found.step == pytest.approx(STEP)
    assert found.message.startswith(
        "output y has one int8 scale, 2.51 a step, over parts of very different range"
    )
    assert "end the ONNX before /head/Concat_5" in found.cure
    shown = " ".join(render_console(inspection, 100).split())
    assert found.message in shown and found.cure in shown
    assert "end the ONNX before" in render_html(inspection)


def test_the_join_that_is_named_is_the_first_that_was_too_coarse() -> None:
    """YOLOX decodes its boxes in pieces: scores pass two Concats, and the first has the scale of boxes."""
    fine, coarse = ((0.8 / 255,), (0,)), ((1.0,), (0,))
    shapes = [(1, 2, 100), (1, 82, 100), (1, 84, 100), (1, 2, 100), (1, 82, 100), (1, 84, 100)]
    scales = [coarse, fine, coarse, coarse, fine, coarse]
    tensors = (
        TensorSpec("", kind="null", dtype="", shape=()),
        TensorSpec("x", kind="input", dtype="INT8", scale=(0.5,), zero_point=(0,)),
        *(
            TensorSpec(name, dtype="INT8", shape=shape, scale=scale, zero_point=zero)
            for name, shape, (scale, zero) in zip("abcdef", shapes, scales, strict=True)
        ),
        TensorSpec("y", kind="output", dtype="INT8", shape=shapes[-1], scale=(1.0,), zero_point=(0,)),
    )
    scores = replace(tensors[6], range=(0.0, 0.8))
    nodes = (
        NodeSpec("InputOperator:x", "InputOperator", 0, (), (1,)),
        NodeSpec("Conv:boxes", "Conv", 2, (1,), (2,)),
        NodeSpec("Conv:scores", "ConvSigmoid", 2, (1,), (3,)),
        NodeSpec("Concat:first", "Concat", 2, (2, 3), (4,)),
        NodeSpec("Split:s", "Split", 2, (4,), (5, 6)),
        NodeSpec("Concat:second", "Concat", 2, (5, 6), (7,)),
        NodeSpec("Reshape:out", "Reshape", 2, (7,), (8,)),
        NodeSpec("OutputOperator:y", "OutputOperator", 0, (8,), ()),
    )
    spec = FileSpec((GraphSpec((*tensors[:6], scores, *tensors[7:]), nodes, (1,), (8,)),))
    with opened(write_model(spec)) as model:
        (found,) = inspect_model(model).coarse_outputs
    assert [part.name for part in found.parts] == ["e"]
    assert "end the ONNX before first," in found.cure


@pytest.mark.parametrize(
    "spec",
    [
        detector(step=1 / 255),
        detector(score_layer="Conv"),
        detector(score_layer="ConvExSwish"),
        detector(join="Add"),
    ],
)
def test_an_output_that_is_not_known_to_be_too_coarse_is_not_named(spec: FileSpec) -> None:
    with opened(write_model(spec)) as model:
        assert inspect_model(model).coarse_outputs == ()
