"""Nets of one to five operators each, by name: `OP_NETS`. Those of shapes are here.

tests/toolkit/test_toolkit_operators.py converts each for both SoCs in fp16 and int8, and holds ours to the
simulator. Most have 9x11 pixels (that no four divide) and channels that fill no block.
"""

from __future__ import annotations

from collections.abc import Callable

from op_network import OpNetwork
from operator_nets import OF_OPERATORS, PLAIN, scales

Make = Callable[[], OpNetwork]
MAP = "x:1x18x9x11"
COUNTS = (1, 2, 3, 4, 5, 15, 16, 17, 31, 32, 33, 63, 64, 65)


def _in(channels: int) -> Make:
    return lambda: OpNetwork(f"x:1x{channels}x9x11").conv(channels).op("Relu").conv(channels + 1, 1)


def _out(channels: int) -> Make:
    return lambda: OpNetwork("x:1x18x5x7").conv(channels)


def _depthwise(channels: int) -> Make:
    return lambda: OpNetwork(f"x:1x{channels}x9x11").conv(channels, group=channels).op("Relu")


def _conv(inputs: str, outputs: int, kernel: object = 3, **more: object) -> Make:
    return lambda: OpNetwork(inputs).conv(outputs, kernel, **more)


def _transposed(outputs: int, kernel: int, stride: int, pads: list[int], **more: object) -> Make:
    return _conv("x:1x16x7x9", outputs, kernel, kind="ConvTranspose", strides=[stride] * 2, pads=pads, **more)


def _pooled(net: OpNetwork, kind: str, kernel: list[int], strides: list[int], **more: object) -> OpNetwork:
    return net.op(kind, kernel_shape=kernel, strides=strides, **more)


CHANNELS: dict[str, Make] = {
    **{f"in_{count}": _in(count) for count in COUNTS},
    **{f"out_{count}": _out(count) for count in (1, 3, 5, 17, 33, 65)},
    **{f"depthwise_{count}": _depthwise(count) for count in (3, 5, 17, 33, 65)},
}
CONVOLUTIONS: dict[str, Make] = {
    "kernel_1x7": _conv("x:1x12x9x23", 20, (1, 7)),
    "kernel_7x1_strides_3": _conv("x:1x12x23x9", 20, (7, 1), strides=[3, 1]),
    "kernel_1x5_of_a_row": _conv("x:1x40x1x33", 24, (1, 5)),
    "kernel_5x1_of_a_column": _conv("x:1x40x33x1", 24, (5, 1)),
    "pads_that_differ": _conv("x:1x12x13x17", 20, (3, 5), strides=[1, 2], pads=[2, 0, 1, 3]),
    "strides_3": _conv("x:1x12x17x17", 20, strides=[3, 3]),
    "pixels_strides_4": _conv("x:1x3x37x41", 20, 4, strides=[4, 4], pads=[0] * 4),
    "pixels_pads": _conv("x:1x3x37x41", 20, 5, strides=[2, 2], pads=[1, 2, 2, 1]),
    "pixels_7x7": lambda: _pooled(
        OpNetwork("x:1x3x33x35").conv(21, 7, strides=[2, 2]).op("Relu"),
        "MaxPool", [3, 3], [2, 2], pads=[1] * 4,
    ),
    "pixels_of_1": lambda: OpNetwork("x:1x1x40x80").conv(8, strides=[2, 2]).op("Relu").conv(8),
    "pixels_of_2": lambda: OpNetwork("x:1x2x31x29").conv(8).op("Relu"),
    "pixels_of_4": lambda: OpNetwork("x:1x4x31x29").conv(8, strides=[2, 2]).op("Relu"),
    "pixels_64x96": lambda: OpNetwork("x:1x3x64x96").conv(16, strides=[2, 2]).op("Relu").conv(16, group=16),
    "dilations": _conv("x:1x16x11x13", 24, dilations=[2, 3]),
    "depthwise_dilations": _conv("x:1x12x21x17", 12, group=12, dilations=[2, 3]),
    "depthwise_strides_3": _conv("x:1x12x17x17", 12, group=12, strides=[3, 3], pads=[1, 0, 0, 1]),
    "depthwise_7x7": _conv("x:1x12x9x9", 12, 7, group=12),
    "depthwise_twice": _conv("x:1x20x9x9", 40, group=20),
    "groups_2": _conv("x:1x16x9x9", 32, group=2),
    "groups_3": _conv("x:1x24x9x9", 24, group=3),
    "groups_8": _conv("x:1x64x9x9", 64, group=8),
    "groups_5_strides_2": _conv("x:1x30x9x9", 20, group=5, strides=[2, 2]),
    "transposed_4x4": _transposed(10, 4, 2, [1] * 4),
    "transposed_3x3": _transposed(9, 3, 2, [1, 1, 0, 0]),
    "transposed_2x2": _transposed(9, 2, 2, [0] * 4),
    "transposed_strides_3": _transposed(9, 3, 3, [0] * 4),
    "transposed_strides_1": _transposed(9, 3, 1, [1] * 4),
    "transposed_more": _transposed(9, 3, 2, [1] * 4, output_padding=[1, 1]),
    "transposed_depthwise": _transposed(16, 4, 2, [1] * 4, group=16, bare=True),
    "transposed_groups": _transposed(8, 4, 2, [1] * 4, group=2),
    "transposed_sigmoid": lambda: OpNetwork("x:1x16x7x9").conv(16).op("Relu")
    .conv(8, 4, "ConvTranspose", strides=[2, 2], pads=[1] * 4).op("Sigmoid"),
    "no_pads": _conv("x:1x18x3x3", 20, pads=[0] * 4),
    "wide": lambda: OpNetwork("x:1x130x9x11").conv(70).op("Relu").conv(130, 1),
    "many": lambda: OpNetwork("x:1x256x5x5").conv(300, 1).op("Relu").conv(20),
    "tiles": lambda: OpNetwork("x:1x128x40x40").conv(96).op("Relu").conv(20, strides=[2, 2]),
}  # fmt: skip
BATCHES: dict[str, Make] = {
    "batch_2": lambda: OpNetwork("x:2x18x9x11").conv(24).op("Relu").conv(16, 1),
    "batch_3": lambda: OpNetwork("x:3x20x7x7").conv(24).op("Relu").op("GlobalAveragePool"),
    "batch_4_depthwise": lambda: OpNetwork("x:4x16x7x7").conv(16, group=16).op("Relu").conv(20, 1),
    "batch_pixels": lambda: OpNetwork("x:2x3x17x19").conv(8, strides=[2, 2]).op("Relu"),
    "batch_pools": lambda: _pooled(
        OpNetwork("x:2x18x9x11").conv(18).op("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4),
        "AveragePool", [2, 2], [1, 1],
    ),
    "batch_add": lambda: OpNetwork("x:2x18x8x8").conv(18).mark("a").conv(18).op("Add", "a").op("Sigmoid"),
    "batch_dense": lambda: OpNetwork("x:4x37").op("Gemm", (37, 20), (20,)).op("Relu").op("Gemm", (20, 5)),
    "batch_flat": lambda: OpNetwork("x:2x18x8x8").conv(8).op("Flatten", axis=1).op("Gemm", (512, 9)),
}  # fmt: skip
VECTORS: dict[str, Make] = {
    "dense_2": lambda: OpNetwork("x:1x37").op("Gemm", (37, 65), (65,)).op("Relu").op("Gemm", (65, 9), (9,)),
    "dense_300": lambda: OpNetwork("x:1x300").op("Gemm", (300, 130), (130,)).op("Relu").op("Gemm", (130, 9)),
    "scalar": lambda: OpNetwork("x:1x1").op("Gemm", (1, 4), (4,)).op("Tanh").op("Gemm", (4, 1)),
    "vector_sigmoid": lambda: OpNetwork("x:1x100").op("Mul", 1.5).op("Sigmoid"),
    "vector_sub": lambda: OpNetwork("x:1x20 y:1x20").op("Sub", "y").op("Gemm", (20, 7)),
    "one_pixel": lambda: OpNetwork("x:1x8x1x1").conv(20, 1).op("Relu").conv(3, 1),
    "one_pixel_gate": lambda: OpNetwork("x:1x24x1x1").conv(24, 1).op("Sigmoid").op("Mul", "x"),
    "sequence": lambda: OpNetwork("x:1x12x30").op("Conv", (20, 12, 3), kernel_shape=[3], pads=[1, 1]),
    "sequence_dense": lambda: OpNetwork("x:1x12x30").op("MatMul", (30, 17)).op("Relu"),
    "flat_dense": lambda: OpNetwork(MAP).conv(5).op("Flatten", axis=1).op("Gemm", (495, 37), (37,)),
}
SEVERAL: dict[str, Make] = {
    "add_inputs": lambda: OpNetwork(f"{MAP} y:1x18x9x11").op("Add", "y").conv(8),
    "mul_inputs": lambda: OpNetwork(f"{MAP} y:1x18x9x11").op("Mul", "y"),
    "join_inputs": lambda: OpNetwork(f"{MAP} y:1x5x9x11").op("Concat", "y", axis=1, channels=23).conv(8),
    "pixels_inputs": lambda: OpNetwork("x:1x3x32x32 y:1x3x32x32").conv(8).mark("a").back("y").conv(8)
    .op("Sub", "a").op("Relu"),
    "three_inputs": lambda: OpNetwork("x:1x8x9x11 y:1x8x9x11 z:1x16x9x11").op("Add", "y")
    .op("Concat", "z", axis=1, channels=24).conv(7),
    "matmul_inputs": lambda: OpNetwork("x:1x49x32 y:1x32x20").op("MatMul", "y"),
    "two_outputs": lambda: OpNetwork(MAP).conv(24).op("Relu").out().conv(7, 1).out(),
    "three_outputs": lambda: OpNetwork(MAP).conv(16).mark("s").conv(3).out().back("s")
    .conv(5, strides=[2, 2]).out().back("s").op("GlobalAveragePool").out(),
    "split_even": lambda: OpNetwork(MAP).conv(48).op("Split", [16, 16, 16], parts=3, axis=1).mark("s")
    .part("s", 1, 16).mark("b").part("s", 2, 16).mark("c").part("s", 0, 16).op("Mul", "b").op("Add", "c"),
    "split_odd": lambda: OpNetwork(MAP).conv(30).op("Split", [7, 13, 10], parts=3, axis=1).mark("s")
    .part("s", 0, 7).conv(8).mark("a").part("s", 1, 13).conv(8).op("Add", "a").out()
    .part("s", 2, 10).conv(4).out(),
    "split_lines": lambda: OpNetwork(MAP).conv(16).op("Split", [4, 5], parts=2, axis=2).mark("s")
    .part("s", 0, 16).conv(4).out().part("s", 1, 16).conv(4).out(),
    "join_two_odd": lambda: OpNetwork(MAP).conv(7).mark("a").back("x").conv(11).op("Concat", "a", axis=1),
    "join_four": lambda: OpNetwork(MAP).conv(16).mark("s").conv(16, 1).mark("a").back("s").conv(32).mark("b")
    .back("s").conv(16, 5).op("Concat", "a", "b", axis=1, channels=64).op("Relu").conv(8, 1),
    "join_three_odd": lambda: OpNetwork(MAP).conv(16).mark("s").conv(3, 1).mark("a").back("s").conv(21)
    .mark("b").back("s").conv(10, 5).op("Concat", "a", "b", axis=1, channels=34).op("Relu").conv(8, 1),
    "join_lines": lambda: OpNetwork(MAP).conv(17).mark("s").conv(17, 1).mark("a").back("s").conv(17)
    .op("Concat", "a", axis=2),
    "join_columns": lambda: OpNetwork(MAP).conv(16).mark("s").conv(16, 1).mark("a").back("s").conv(16)
    .op("Concat", "a", axis=3).conv(8),
    "join_with_input": lambda: OpNetwork(MAP).conv(16).op("Relu").op("Concat", "x", axis=1, channels=34)
    .conv(9),
    "add_to_input": lambda: OpNetwork("x:1x16x9x11").conv(16).op("Add", "x").op("Relu").conv(16)
    .op("Add", "x"),
    "add_to_pixels": lambda: OpNetwork("x:1x3x16x16").conv(3).op("Add", "x"),
    "add_to_repeated": lambda: OpNetwork("x:1x18x30x30").conv(18, strides=[2, 2])
    .op("Resize", "", scales(2, 2), mode="nearest", **PLAIN).op("Add", "x").op("Relu"),
}  # fmt: skip
OP_NETS: dict[str, Make] = {**CHANNELS, **CONVOLUTIONS, **BATCHES, **VECTORS, **SEVERAL, **OF_OPERATORS}
