"""Weights of layers that the CPU computes: what they need is their dtype's, float32 is named."""

from __future__ import annotations

from hashlib import sha256

from rkbench.inspection.causes import Attribution
from rknn_writer import FileSpec, GraphSpec, NodeSpec, TensorSpec
from test_causes_moves import diagnose, found

CPU, NPU = 0, 2
NOISE = b"".join(sha256(str(index).encode()).digest() for index in range(8192))


def recurrent(dtype: str, target: int = CPU) -> Attribution:
    """Return what is said of an RNN with matrices of this dtype."""
    matrix = {"kind": "cpu_constant", "dtype": dtype, "shape": (2, 64, 64)}
    tensors = (
        TensorSpec("x", kind="input", shape=(100, 1, 64)),
        TensorSpec("w", data=NOISE[:32_768], **matrix),
        TensorSpec("r", data=NOISE[32_768:65_536], **matrix),
        TensorSpec("y", kind="output", shape=(100, 2, 1, 64)),
    )
    node = NodeSpec("RNN:n", "RNN", target, (0, 1, 2), (3,))
    return diagnose(FileSpec((GraphSpec(tensors, (node,), (0,), (3,)),)))


def test_matrices_in_float32_take_twice_what_they_need() -> None:
    attribution = recurrent("FLOAT32")
    cause = found(attribution, "float32_weights")
    assert cause is not None
    assert (attribution.lead, cause.bytes) == ("float32_weights", 32_768)
    assert cause.because.startswith("1 layer on the CPU (n) keeps weights in float32: 32.8 kB")
    assert found(attribution, "oversized_layers") is None


def test_matrices_at_the_dtype_of_the_file_are_needed() -> None:
    attribution = recurrent("FLOAT16")
    assert (attribution.lead, found(attribution, "float32_weights")) == (None, None)


def test_what_the_npu_reads_in_float32_is_no_matter_of_the_cpu() -> None:
    assert found(recurrent("FLOAT32", NPU), "float32_weights") is None
