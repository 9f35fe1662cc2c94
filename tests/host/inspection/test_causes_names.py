"""No name of a layer or model decides a cause: tensors, attributes and the compiler's own suffixes do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rkbench.inspection.causes import Attribution, find_causes
from rknn_writer import CONVOLUTION, MODELS, FileSpec, GraphSpec, NodeSpec, TensorSpec, opened, write_model

FILES = sorted(MODELS.rglob("*.rknn"))
SOURCE_NAME = re.compile(rb"(?<![A-Za-z])([A-Z][A-Za-z]+)(_\d+)")
"""`Conv_9` in `Conv:Conv_9_group_3`: what the ONNX called it, with the compiler's suffix behind it."""


def causes(content: bytes) -> Attribution:
    with opened(content) as model:
        return find_causes(model)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.removesuffix(".rknn"))
def test_other_names_of_layers_have_the_same_causes(path: Path) -> None:
    content = path.read_bytes()
    renamed = SOURCE_NAME.sub(lambda name: b"q" * len(name[1]) + name[2], content)
    told, again = causes(content), causes(renamed)
    assert [(cause.code, cause.bytes) for cause in again.causes] == [
        (cause.code, cause.bytes) for cause in told.causes
    ]
    assert again.lead == told.lead


@pytest.mark.parametrize(
    ("weights", "shape", "is_average"),
    [
        (bytes([9]) * 72 + bytes(56), (1, 8, 3, 3), True),
        (bytes([9]) * 72 + b"\x80" * 56, (1, 8, 3, 3), True),
        (bytes([9]) * 71 + bytes([8]) + bytes(56), (1, 8, 3, 3), False),
        (bytes([9]) * 71 + bytes(57), (1, 8, 3, 3), False),
        (bytes([9]) * 8 + bytes(120), (1, 8, 1, 1), False),
    ],
    ids=["zeros fill up", "-128 fills up", "one weight differs", "one weight is missing", "only a scale"],
)
def test_an_average_is_known_by_its_weights(weights: bytes, shape: tuple[int, ...], is_average: bool) -> None:
    tensors = (
        TensorSpec("x", kind="input", dtype="INT8", shape=(1, 8, 9, 9)),
        TensorSpec("w", kind="weight", dtype="INT8", shape=shape, data=weights),
        TensorSpec("y", kind="output", dtype="INT8", shape=(1, 8, 3, 3)),
    )
    node = NodeSpec(
        "Conv:features", "Conv", 2, (0, 1), (2,), options_type=CONVOLUTION, groups=8, strides=(3, 3)
    )
    told = causes(write_model(FileSpec((GraphSpec(tensors, (node,), (0,), (2,)),))))
    assert ("pooling_convolution" in {cause.code for cause in told.causes}) == is_average
