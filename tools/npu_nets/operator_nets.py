"""Nets of one to five operators each, of the others than convolutions; `op_nets.py` has those of shapes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from op_network import OpNetwork
from transformer_nets import normalize

Make = Callable[[], OpNetwork]
PLAIN = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
HALF = {"coordinate_transformation_mode": "half_pixel"}


def features(channels: int = 16, sides: str = "9x11", kernel: int = 3) -> OpNetwork:
    """Begin with a convolution."""
    return OpNetwork(f"x:1x18x{sides}").conv(channels, kernel)


def scales(lines: float, columns: float) -> np.ndarray:
    """Return what a Resize takes."""
    return np.array([1, 1, lines, columns], "float32")


def _after(kind: str, *operands: object, **more: object) -> Make:
    return lambda: features().op(kind, *operands, **more)


def _between(kind: str, *operands: object, **more: object) -> Make:
    """The same with a convolution behind it."""
    return lambda: features().op(kind, *operands, **more).conv(8)


def _of_gate(kind: str, *operands: object) -> Make:
    """The same of values between 0 and 1."""
    return lambda: features().op("Sigmoid").op(kind, *operands)


def _resized(mode: str, lines: float, columns: float, sides: str = "9x11", **more: str) -> Make:
    return lambda: features(sides=sides).op("Resize", "", scales(lines, columns), mode=mode, **more)


def _pooled(kind: str, kernel: list[int], strides: list[int], **more: object) -> Make:
    return lambda: features(18).op(kind, kernel_shape=kernel, strides=strides, **more)


def _normalized() -> OpNetwork:
    net = OpNetwork("x:1x49x64")
    normalize(net, 64)
    return net


def _attention() -> OpNetwork:
    net = OpNetwork("x:1x9x16")
    for name in "qkv":
        net.back("x").op("MatMul", (16, 16)).mark(name)
    net.back("k").op("Transpose", perm=[0, 2, 1]).mark("k").back("q").op("MatMul", "k").op("Mul", 0.25)
    return net.op("Softmax", axis=-1).op("MatMul", "v")


def _gelu() -> OpNetwork:
    net = features(24).mark("s").op("Div", float(np.sqrt(2))).op("Erf").op("Add", 1.0)
    return net.op("Mul", "s").op("Mul", 0.5)


def _spatial_attention() -> OpNetwork:
    net = features().mark("s").op("ReduceMean", axes=[1], keepdims=1).mark("a").back("s")
    net.op("ReduceMax", axes=[1], keepdims=1).op("Concat", "a", axis=1, channels=2)
    return net.conv(1, 7).op("Sigmoid").op("Mul", "s")


ACTIVATIONS: dict[str, Make] = {
    "prelu": _after("PRelu", (16, 1, 1)),
    "leaky": _between("LeakyRelu", alpha=0.3),
    "elu": _after("Elu", alpha=1.0),
    "selu": _after("Selu"),
    "tanh": _after("Tanh"),
    "softplus": _after("Softplus"),
    "softsign": _after("Softsign"),
    "hard_swish": lambda: (
        features().mark("s").op("HardSigmoid", alpha=1 / 6, beta=0.5).op("Mul", "s").conv(8)
    ),
    "hard_sigmoid": _between("HardSigmoid", alpha=0.2, beta=0.5),
    "swish_of_17": lambda: features(17).mark("s").op("Sigmoid").op("Mul", "s"),
    "mish": lambda: features(24).mark("s").op("Softplus").op("Tanh").op("Mul", "s"),
    "gelu": _gelu,
    "relu6": lambda: features().op("Clip", 0.0, 6.0).conv(16, group=16).op("Clip", 0.0, 6.0).conv(9, 1),
    "clip_both": _after("Clip", -0.7, 1.1),
    "clip_low": _after("Clip", -0.5),
    "clip_high": _after("Clip", "", 0.5),
}
ELEMENTS: dict[str, Make] = {
    "max": lambda: features(18).mark("a").back("x").conv(18).op("Max", "a"),
    "min": lambda: features(18).mark("a").back("x").conv(18).op("Min", "a"),
    "max_number": _after("Max", 0.2),
    "sub_input": lambda: features(18).op("Sub", "x"),
    "mul_input": lambda: features(18).op("Mul", "x"),
    "div": lambda: features(18).mark("a").back("x").conv(18).op("Sigmoid").op("Add", 1.0).mark("b")
    .back("a").op("Div", "b"),
    "div_number": _of_gate("Div", 3.0),
    "number_sub": lambda: features(18).mark("a").number(1.0).op("Sub", "a"),
    "number_div": lambda: features(18).op("Sigmoid").op("Add", 1.0).mark("a").number(2.0).op("Div", "a"),
    "reciprocal": lambda: features().op("Sigmoid").op("Add", 0.5).op("Reciprocal"),
    "add_mul_channels": lambda: features(18).op("Add", (1, 18, 1, 1)).op("Mul", (1, 18, 1, 1)),
    "add_weights": lambda: features(18).op("Add", (1, 18, 9, 11)).conv(3),
    "mul_weights": _after("Mul", (1, 16, 9, 11)),
    "mul_pixels": _after("Mul", (1, 1, 9, 11)),
    "mul_by_one_channel": lambda: features(18).mark("s").conv(1, 1).op("Sigmoid").op("Mul", "s"),
    "add_means": lambda: features(18).mark("s").op("GlobalAveragePool").op("Add", "s"),
    "squeeze_excite": lambda: features(24).mark("s").op("GlobalAveragePool").conv(6, 1).op("Relu")
    .conv(24, 1).op("Sigmoid").op("Mul", "s"),
    "where": lambda: features().mark("s").op("Greater", 0.1).op("Where", "s", 0.2),
    "abs": _after("Abs"),
    "neg": _between("Neg"),
    "exp": _after("Exp"),
    "log": _of_gate("Log"),
    "sqrt": _of_gate("Sqrt"),
    "sqrt_of_square": lambda: features(24).mark("s").op("Mul", "s").op("Add", 0.1).op("Sqrt"),
    "square": _after("Pow", 2.0),
    "floor": _after("Floor"),
    "affine": lambda: features(18).op("Relu").op("Mul", (18, 1, 1)).op("Add", (18, 1, 1)),
}  # fmt: skip
MOVES: dict[str, Make] = {
    "nearest_3": _resized("nearest", 3, 3, **PLAIN),
    "nearest_half": lambda: _resized("nearest", 2, 2, **HALF)().conv(5, 1),
    "nearest_to_13x17": _after("Resize", "", "", [1, 16, 13, 17], mode="nearest", **PLAIN),
    "nearest_down": lambda: _resized("nearest", 0.5, 0.5, "10x12", **PLAIN)().conv(8),
    "linear_2": _resized("linear", 2, 2, **HALF),
    "linear_4": _resized("linear", 4, 4, **HALF),
    "linear_lines": _resized("linear", 2, 1, **HALF),
    "linear_asymmetric": lambda: features(17).op(
        "Resize", "", scales(2, 2), mode="linear", coordinate_transformation_mode="asymmetric"
    ).conv(3),
    "linear_corners": _resized("linear", 2, 2, coordinate_transformation_mode="align_corners"),
    "linear_down": lambda: _resized("linear", 0.5, 0.5, "10x12", **HALF)().conv(8),
    "pad_values": _after("Pad", [0, 0, 1, 2, 0, 0, 0, 1], 0.5),
    "pad_reflected": lambda: features().op("Pad", [0, 0, 1, 1, 0, 0, 1, 1], mode="reflect")
    .conv(8, pads=[0] * 4),
    "slice_columns": _between("Slice", [2], [9], [3]),
    "slice_lines_steps": _between("Slice", [0], [9], [2], [2]),
    "slice_channels": lambda: features(32).op("Slice", [5], [21], [1], channels=16).conv(16),
    "slice_channels_16": lambda: features(48).op("Slice", [16], [32], [1], channels=16).conv(4),
    "slice_corner": lambda: features(32).op("Slice", [1, 2], [8, 9], [2, 3]).conv(16),
    "focus": lambda: OpNetwork("x:1x18x9x11").op("Slice", [0, 1], [9, 11], [2, 3], [2, 2]).conv(16),
    "gather": _after("Gather", [3, 1, 7], axis=1),
    "shuffle": lambda: features(24, kernel=1).op("Reshape", [1, 2, 12, 9, 11])
    .op("Transpose", perm=[0, 2, 1, 3, 4]).op("Reshape", [1, 24, 9, 11]).conv(24, group=24),
    "depth_to_space": lambda: features(24).op("DepthToSpace", blocksize=2, mode="CRD", channels=6).conv(8),
    "depth_to_space_dcr": lambda: features(24).op("DepthToSpace", blocksize=2, mode="DCR"),
    "depth_to_space_3": lambda: features(27).op("DepthToSpace", blocksize=3, mode="CRD"),
    "space_to_depth": lambda: features(8, "10x12").op("SpaceToDepth", blocksize=2, channels=32).conv(8),
    "pixel_shuffle": lambda: features(24).op("Reshape", [1, 6, 2, 2, 9, 11])
    .op("Transpose", perm=[0, 1, 4, 2, 5, 3]).op("Reshape", [1, 6, 18, 22], channels=6).conv(3),
    "transpose_last": lambda: features(24).op("Transpose", perm=[0, 2, 3, 1]),
    "transpose_map": lambda: features(24).op("Transpose", perm=[0, 1, 3, 2]),
    "reshape": lambda: features(24).op("Reshape", [1, 24, 99]),
    "head": lambda: features(18, kernel=1).op("Transpose", perm=[0, 2, 3, 1]).op("Reshape", [1, 297, 6]),
    "head_of_yolo": lambda: features(18, kernel=1).op("Reshape", [1, 3, 6, 9, 11])
    .op("Transpose", perm=[0, 1, 3, 4, 2]).op("Sigmoid"),
    "patches": lambda: OpNetwork("x:1x18x8x8").conv(16, 4, strides=[4, 4], pads=[0] * 4)
    .op("Reshape", [1, 16, 4]).op("Transpose", perm=[0, 2, 1]).op("MatMul", (16, 8)),
    "squeeze": lambda: features().op("GlobalAveragePool").op("Squeeze", [2, 3]),
}  # fmt: skip
REDUCTIONS: dict[str, Make] = {
    "mean": lambda: features(24).op("ReduceMean", axes=[2, 3], keepdims=1).conv(16, 1),
    "largest": _after("ReduceMax", axes=[2, 3], keepdims=1),
    "sum": lambda: features().op("ReduceSum", [2, 3], keepdims=1).conv(4, 1),
    "mean_of_channels": _after("ReduceMean", axes=[1], keepdims=1),
    "largest_of_channels": _after("ReduceMax", axes=[1], keepdims=1),
    "length_of_channels": _after("ReduceL2", axes=[1], keepdims=1),
    "spatial_attention": _spatial_attention,
    "global_max": lambda: features(18).op("GlobalMaxPool").conv(4, 1),
    "global_mean": lambda: OpNetwork("x:1x18x9x11").op("GlobalAveragePool"),
    "max_2x3": _pooled("MaxPool", [2, 3], [1, 2], pads=[0, 1, 1, 1]),
    "max_5x5_twice": lambda: _pooled("MaxPool", [5, 5], [1, 1], pads=[2] * 4)()
    .op("MaxPool", kernel_shape=[5, 5], pads=[2] * 4),
    "max_9x9": lambda: OpNetwork("x:1x18x40x40").op("MaxPool", kernel_shape=[9, 9], strides=[4, 4]),
    "max_ceil": _pooled("MaxPool", [2, 2], [2, 2], ceil_mode=1),
    "mean_ceil": _pooled("AveragePool", [2, 2], [2, 2], ceil_mode=1),
    "mean_padded": _pooled("AveragePool", [3, 3], [2, 2], pads=[1] * 4, count_include_pad=0),
    "mean_with_pads": _pooled("AveragePool", [3, 3], [1, 1], pads=[1] * 4, count_include_pad=1),
    "mean_of_input": lambda: OpNetwork("x:1x18x9x11").op("AveragePool", kernel_shape=[3, 2], strides=[2, 1]),
    "mean_of_pixels": lambda: OpNetwork("x:1x3x30x30").op("AveragePool", kernel_shape=[2, 2], strides=[2, 2])
    .conv(4),
    "normalization": _normalized,
    "normalization_of_maps": _after("InstanceNormalization", (16,), (16,)),
    "softmax_of_channels": lambda: features(24).op("Softmax", axis=1),
    "softmax_last": lambda: OpNetwork("x:1x16x64").op("Softmax", axis=-1),
    "softmax_of_10": lambda: OpNetwork("x:1x10").op("Gemm", (10, 10)).op("Softmax", axis=-1),
    "attention": _attention,
}  # fmt: skip
OF_OPERATORS = {**ACTIVATIONS, **ELEMENTS, **MOVES, **REDUCTIONS}
