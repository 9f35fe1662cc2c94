"""A BatchNormalization that stays a layer keeps a mean of zeros and a variance of ones."""

from __future__ import annotations

import struct
from hashlib import sha256

from rkbench.inspection.causes import Attribution
from rknn_writer import FileSpec, GraphSpec, NodeSpec, TensorSpec
from test_causes_moves import diagnose, found

CHANNELS = 1024
MAP = (1, CHANNELS, 4, 4)
ZEROS = bytes(4 * CHANNELS)
ONES = struct.pack("<e", 1.0) * CHANNELS


def noise(name: str, size: int) -> bytes:
    return b"".join(sha256(f"{name}{index}".encode()).digest() for index in range(size // 32))


def normalizations(mean: bytes = ZEROS, variance: bytes = ONES) -> Attribution:
    """Return what is said of two BatchNormalizations in a row with these statistics."""
    tensors = [TensorSpec("x", kind="input", shape=MAP)]
    nodes = []
    for name in ("a", "b"):
        first = len(tensors)
        kept = {
            "scale": ("FLOAT16", noise(f"{name}s", 2 * CHANNELS)),
            "offset": ("FLOAT32", noise(f"{name}o", 4 * CHANNELS)),
            "mean": ("FLOAT32", mean),
            "variance": ("FLOAT16", variance),
        }
        tensors += [
            TensorSpec(f"{name}.{part}", kind="cpu_constant", dtype=dtype, shape=(CHANNELS,), data=data)
            for part, (dtype, data) in kept.items()
        ]
        tensors.append(TensorSpec(name, kind="output" if name == "b" else "activation", shape=MAP))
        inputs = (first - 1, *range(first, first + 4))
        nodes.append(NodeSpec(f"BatchNormalization:{name}", "BatchNormalization", 2, inputs, (first + 4,)))
    return diagnose(FileSpec((GraphSpec(tuple(tensors), tuple(nodes), (0,), (len(tensors) - 1,)),)))


def test_statistics_that_say_nothing_are_no_initializers_stored_again() -> None:
    attribution = normalizations()
    cause = found(attribution, "idle_statistics")
    assert cause is not None
    assert cause.bytes == 2 * (len(ZEROS) + len(ONES))
    assert cause.evidence[0] == "a: 4.10 kB of zeros, 2.05 kB of ones"
    assert found(attribution, "repeated_constants") is None


def test_statistics_of_the_network_are_none() -> None:
    assert found(normalizations(mean=noise("m", len(ZEROS))), "idle_statistics") is None
    assert found(normalizations(variance=noise("v", len(ONES))), "idle_statistics") is None
