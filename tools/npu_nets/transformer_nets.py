"""Nets of what transformers are made of, random weights from a fixed seed; `make.py` converts the small ones.

`vision_transformer` takes a test of its own with the toolkit (tests/toolkit/test_toolkit_transformer.py).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests/data/models"))

from make_small_samples import Network  # noqa: E402


def softmax() -> Network:
    """Softmax over the last dimension."""
    net = Network([1, 50, 30])
    net.add("Softmax", axis=-1)
    return net


def normalization() -> Network:
    """Layer normalization over the last dimension."""
    net = Network([1, 49, 64])
    normalize(net, 64)
    return net


def normalize(net: Network, width: int) -> None:
    """Append a layer normalization, with factors near 1 and small summands."""
    before = net.current
    net.add("ReduceMean", axes=[-1])
    mean, net.current = net.current, before
    net.add("Sub", mean)
    centred = net.current
    net.add("Mul", centred)
    net.add("ReduceMean", axes=[-1])
    net.add("Add", net.constant(np.float32(1e-5)))
    net.add("Sqrt")
    deviation, net.current = net.current, centred
    net.add("Div", deviation)
    net.add("Mul", net.constant((1 + 0.1 * net.rng.standard_normal(width)).astype("float32")))
    net.add("Add", net.constant((0.1 * net.rng.standard_normal(width)).astype("float32")))


def multiply(net: Network, inputs: int, outputs: int) -> None:
    """Append a dense layer with bias."""
    values = net.rng.standard_normal((inputs, outputs)) / np.sqrt(inputs)
    net.add("MatMul", net.constant(values.astype("float32")))
    net.add("Add", net.constant((0.1 * net.rng.standard_normal(outputs)).astype("float32")))


def attend(net: Network, tokens: int, width: int, heads: int) -> None:
    """Append multi-head attention of the tokens to one another, and its dense layer."""
    normal, parts = net.current, []
    shape = net.constant(np.array([1, tokens, heads, width // heads], "int64"))
    for order in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]):  # queries, keys, values
        net.current = normal
        multiply(net, width, width)
        net.add("Reshape", shape)
        net.add("Transpose", perm=order)
        parts.append(net.current)
    net.current = parts[0]
    net.add("MatMul", parts[1])
    net.add("Mul", net.constant(np.float32((width // heads) ** -0.5)))
    net.add("Softmax", axis=-1)
    net.add("MatMul", parts[2])
    net.add("Transpose", perm=[0, 2, 1, 3])
    net.add("Reshape", net.constant(np.array([1, tokens, width], "int64")))
    multiply(net, width, width)


def relu(net: Network) -> None:
    """Append a ReLU."""
    net.add("Relu")


def gelu(net: Network) -> None:
    """Append GELU by its definition, 0.5 x (1 + erf(x / sqrt 2))."""
    before = net.current
    net.add("Mul", net.constant(np.float32(0.5**0.5)))
    net.add("Erf")
    net.add("Add", net.constant(np.float32(1)))
    net.add("Mul", before)
    net.add("Mul", net.constant(np.float32(0.5)))


def transform(
    net: Network, tokens: int, width: int, heads: int, hidden: int, activate: Callable[[Network], None]
) -> None:
    """Append a block of a transformer, normalization first: attention, then two dense layers."""
    before = net.current
    normalize(net, width)
    attend(net, tokens, width, heads)
    net.add("Add", before)
    attended = net.current
    normalize(net, width)
    multiply(net, width, hidden)
    activate(net)
    multiply(net, hidden, width)
    net.add("Add", attended)


def transformer() -> Network:
    """One block of a vision transformer: 25 tokens of 32 values, 2 heads, ten classes.

    ReLU for GELU, since librknnrt 1.5.2 (the emulated boards') has no Erf.
    """
    net = Network([1, 25, 32])
    transform(net, 25, 32, 2, 64, relu)
    classify(net, 32)
    return net


def vision_transformer() -> Network:
    """Four blocks as in ViT-Tiny: 196 tokens of 192 values, 3 heads, GELU, ten classes."""
    net = Network([1, 196, 192])
    for _ in range(4):
        transform(net, 196, 192, 3, 768, gelu)
    classify(net, 192)
    return net


def classify(net: Network, width: int) -> None:
    """Append ten classes of the tokens' mean."""
    net.add("ReduceMean", axes=[1], keepdims=0)
    multiply(net, width, 10)
