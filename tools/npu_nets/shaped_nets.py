"""Nets of the shapes and operators that nine nets of `make.py` did not have, where ours was wrong or refused.

Each was found among nets of one operator each (`op_nets.py`), held to the vendor's simulator.
"""

from __future__ import annotations

import numpy as np
from transformer_nets import Network


def convolve(
    net: Network, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1
) -> None:
    """Append a convolution whose outputs are about as large as its inputs, with bias."""
    per_output = inputs // groups * kernel**2
    values = net.rng.standard_normal((outputs, inputs // groups, kernel, kernel)) * np.sqrt(2 / per_output)
    weights = net.constant(values.astype("float32"))
    bias = net.constant((net.rng.standard_normal(outputs) * 0.1).astype("float32"))
    shape = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [kernel // 2] * 4}
    net.add("Conv", weights, bias, group=groups, **shape)


def enlarged() -> Network:
    """A map enlarged by 3, linearly."""
    net = Network([1, 8, 12, 12])
    convolve(net, 8, 24)
    net.add("Relu")
    net.add("Resize", "", net.constant(np.array([1, 1, 3, 3], dtype="float32")), mode="linear")
    convolve(net, 24, 16, kernel=1)
    return net


def repeated() -> Network:
    """Inputs of several surfaces, whose 99 pixels no four divide, and pixels repeated, by 4 and by 2."""
    net = Network([1, 24, 9, 11])
    convolve(net, 24, 24)
    net.add("Relu")
    scales = net.constant(np.array([1, 1, 4, 2], dtype="float32"))
    modes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    net.add("Resize", "", scales, **modes)
    convolve(net, 24, 16, kernel=1)
    return net


def deconvolved() -> Network:
    """A transposed convolution, and channels that become pixels, which is one too."""
    net = Network([1, 8, 7, 5])
    weights = net.constant((net.rng.standard_normal((8, 12, 4, 4)) * 0.2).astype("float32"))
    net.add("ConvTranspose", weights, kernel_shape=[4, 4], strides=[2, 2], pads=[1, 1, 1, 1])
    net.add("DepthToSpace", blocksize=2, mode="CRD")
    convolve(net, 3, 8)
    return net


def pictures() -> Network:
    """Three pictures of one batch, whose 49 pixels no four divide, and their means."""
    net = Network([3, 20, 7, 7])
    convolve(net, 20, 24)
    net.add("Relu")
    net.add("GlobalAveragePool")
    return net


def clipped() -> Network:
    """A Clip with a negative lower limit, then a product with the input."""
    net = Network([1, 18, 9, 11])
    convolve(net, 18, 18)
    net.add("Clip", net.constant(np.float32(-0.7)), net.constant(np.float32(1.1)))
    net.add("Mul", "x")
    return net


def roots() -> Network:
    """The root of a square and a little: ten steps of x / 2 + a / (2 x), in halves that pass as int16."""
    net = Network([1, 18, 9, 11])
    convolve(net, 18, 16)
    net.add("Mul", net.current)
    net.add("Add", net.constant(np.float32(0.1)))
    net.add("Sqrt")
    return net


def focused() -> Network:
    """Every second line and third column, then channels of 2x2 pixels, by the CPU; 4 channels to one."""
    net = Network([1, 4, 17, 13])
    convolve(net, 4, 8)
    numbers = ([0, 1], [16, 13], [2, 3], [2, 3])  # starts, ends, dimensions, steps
    net.add("Slice", *(net.constant(np.array(each, "int64")) for each in numbers))
    net.add("SpaceToDepth", blocksize=2)
    convolve(net, 32, 1)
    return net


def largest() -> Network:
    """The largest channel of each pixel, and what is larger, that or a number: both by the CPU."""
    net = Network([1, 18, 5, 7])
    convolve(net, 18, 16)
    net.add("ReduceMax", axes=[1], keepdims=1)
    net.add("Max", net.constant(np.float32(1.5)))
    return net
