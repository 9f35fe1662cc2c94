"""What a file is called by its precision: by what its maps are quantized to, not by every integer in it."""

from __future__ import annotations

import pytest
from rkbench.inspection.causes.model_facts import read_facts
from rkbench.inspection.inspect_model import inspect_model
from rkbench.rknn.reader import open_model
from rknn_writer import MODELS, FileSpec, GraphSpec, NodeSpec, TensorSpec, opened, write_model

INDEX = TensorSpec("i", kind="input", dtype="INT32", shape=(1, 16))
TRUTH = TensorSpec("is", dtype="INT8", shape=(1, 64, 1, 16), scale=(1.0,), zero_point=(0,))
QUANTIZED = TensorSpec("q", dtype="INT8", shape=(1, 64, 1, 16), scale=(0.0039,), zero_point=(-128,))
FLOAT = TensorSpec("f", shape=(1, 64, 1, 16))
OUT = TensorSpec("y", kind="output", shape=(1, 64, 1, 16))


def network(fed: TensorSpec, weights: TensorSpec) -> FileSpec:
    """Return a file of an Equal over an index, whose truth values become a map that a convolution reads."""
    nodes = (
        NodeSpec("Equal:is", "Equal", 0, (0,), (1,)),
        NodeSpec("Cast:c", "Cast", 2, (1,), (2,)),
        NodeSpec("Conv:y", "Conv", 2, (2, 3), (4,)),
    )
    return FileSpec((GraphSpec((INDEX, TRUTH, fed, weights, OUT), nodes, (0,), (4,)),))


def kernel(dtype: str, size_bytes: int) -> TensorSpec:
    return TensorSpec("w", kind="weight", dtype=dtype, shape=(64, 64, 1, 1), data=b"w" * size_bytes)


def test_indices_and_truth_values_make_no_int8_file() -> None:
    with opened(write_model(network(FLOAT, kernel("FLOAT16", 8192)))) as model:
        facts = read_facts(model)
        assert (facts.dtype, facts.precision) == ("fp16", "fp16")
        assert "float_layers" not in [cause.code for cause in inspect_model(model).causes]


def test_a_quantized_map_makes_an_int8_file_also_where_weights_tell_no_dtype() -> None:
    for weights in (kernel("INT8", 4096), kernel("", 4000)):
        with opened(write_model(network(QUANTIZED, weights))) as model:
            assert read_facts(model).precision == "int8"


def test_weights_of_four_bits_are_named_and_their_padding_counted() -> None:
    with opened(write_model(network(FLOAT, kernel("INT4", 4096)))) as model:
        inspection = inspect_model(model)
        assert (inspection.file.dtype, read_facts(model).dtype) == ("w4a16", "fp16")
        assert inspection.answers.float_or_cpu_layers.answer.startswith("The weights have 4 bits (w4a16)")
        assert next(layer.dtype for layer in inspection.layers if layer.name == "Conv:y") == "INT4"
        padding = next(cause for cause in inspection.causes if cause.code == "padding")
        assert padding.bytes == 4096 - 64 * 64 // 2


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("lstm_h64_rk3568_fp", ["int8: it takes 82 to 102", "int8: it takes 100", "int8: it takes 100"]),
        *((path.stem, []) for path in sorted(MODELS.glob("*_i8*.rknn"))),
    ],
)
def test_a_file_that_is_int8_is_not_told_that_int8_does_not_help(name: str, lines: list[str]) -> None:
    with open_model(MODELS / f"{name}.rknn") as model:
        told = [line for cause in inspect_model(model).causes for line in cause.not_helping]
    assert [line.split(" % ")[0] for line in told if line.startswith("int8")] == lines
