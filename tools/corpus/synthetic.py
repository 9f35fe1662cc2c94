"""Graphs for one operator each, between two convolutions of a small network: what one such layer costs.

Every graph is input 1x32x28x28 -> convolution to 64 channels -> the operator -> convolution;
`plain` has none.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 13
CHANNELS = 64
SIDE = 28


class Builder:
    """A graph that grows at its last value."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.random = np.random.default_rng(0)
        self.last = "input"

    def constant(self, array: object, dtype: str = "float32") -> str:
        """Store an initializer; return its name."""
        name = f"constant{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(array, dtype), name))
        return name

    def weight(self, *shape: int) -> str:
        """Store random weights."""
        return self.constant(self.random.standard_normal(shape) / np.sqrt(np.prod(shape[1:])))

    def add(self, kind: str, *inputs: str, **attributes: object) -> str:
        """Append a node on `inputs`, by default on the last value; return its output."""
        self.last = self.several(kind, 1, *inputs, **attributes)[0]
        return self.last

    def several(self, kind: str, outputs: int, *inputs: str, **attributes: object) -> list[str]:
        """Append a node of several outputs; return their names."""
        name = f"{kind}_{len(self.nodes)}"
        names = [f"{name}_{index}" for index in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs) or [self.last], names, name=name, **attributes))
        return names

    def convolution(
        self,
        outputs: int,
        inputs: int,
        kernel: int = 1,
        groups: int = 1,
        act: str = "Relu",
        **attributes: object,
    ) -> str:
        """Append a convolution that keeps the size, and an activation."""
        side = kernel // 2
        attributes = {"pads": [side] * 4, "kernel_shape": [kernel] * 2, "group": groups, **attributes}
        bias = self.constant(self.random.standard_normal(outputs))
        self.add(
            "Conv", self.last, self.weight(outputs, inputs // groups, kernel, kernel), bias, **attributes
        )
        return self.add(act) if act else self.last

    def model(self, shape: tuple[int, ...]) -> onnx.ModelProto:
        """Return the checked model."""
        one = helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)
        out = helper.make_tensor_value_info(self.last, TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, "graph", [one], [out], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
        model = onnx.shape_inference.infer_shapes(model)
        onnx.checker.check_model(model)
        return model


def hard_swish_pieces(b: Builder) -> None:
    """x * clip(x + 3, 0, 6) / 6, as Paddle writes it."""
    x = b.last
    b.add("Add", x, b.constant(3.0))
    b.add("Clip", b.last, b.constant(0.0), b.constant(6.0))
    b.add("Mul", x, b.last)
    b.add("Div", b.last, b.constant(6.0))


def silu(b: Builder) -> None:
    """x * sigmoid(x)."""
    x = b.last
    b.add("Mul", x, b.add("Sigmoid"))


def gelu(b: Builder) -> None:
    """x * (erf(x / sqrt 2) + 1) / 2."""
    x = b.last
    b.add("Div", x, b.constant(2.0**0.5))
    b.add("Erf")
    b.add("Add", b.last, b.constant(1.0))
    b.add("Mul", x, b.last)
    b.add("Mul", b.last, b.constant(0.5))


def layer_norm_pieces(b: Builder, channels: int = CHANNELS) -> None:
    """Normalise the last axis, in pieces, with weights."""
    x = b.last
    b.add("Sub", x, b.add("ReduceMean", x, axes=[-1]))
    centred = b.last
    b.add("ReduceMean", b.add("Pow", centred, b.constant(2.0)), axes=[-1])
    b.add("Sqrt", b.add("Add", b.last, b.constant(1e-6)))
    b.add("Div", centred, b.last)
    b.add("Mul", b.last, b.weight(channels, 1) and b.constant(np.ones(channels) * 1.1))
    b.add("Add", b.last, b.constant(np.ones(channels) * 0.1))


def channels_last(b: Builder, inner: Callable[[Builder], None]) -> None:
    """Transpose to NHWC, do something, and back."""
    b.add("Transpose", perm=[0, 2, 3, 1])
    inner(b)
    b.add("Transpose", perm=[0, 3, 1, 2])


def tokens(b: Builder, inner: Callable[[Builder], None], channels: int = CHANNELS, side: int = SIDE) -> None:
    """Make a sequence of the map, do something, and make it a map again."""
    b.add("Reshape", b.last, b.constant([1, channels, side * side], "int64"))
    b.add("Transpose", perm=[0, 2, 1])
    inner(b)
    b.add("Transpose", perm=[0, 2, 1])
    b.add("Reshape", b.last, b.constant([1, channels, side, side], "int64"))


def attention_of(b: Builder, heads: int, side: int, width: int) -> None:
    """Attention over fewer positions and other channels."""
    b.convolution(width, CHANNELS, strides=[SIDE // side] * 2)
    tokens(b, lambda c: attention(c, heads, side * side, width), width, side)
    b.convolution(CHANNELS, width)


def linear(b: Builder, outputs: int, inputs: int, bias: bool = True) -> str:
    """Multiply by stored weights."""
    b.add("MatMul", b.last, b.weight(inputs, outputs))
    return b.add("Add", b.last, b.constant(b.random.standard_normal(outputs))) if bias else b.last


def attention(b: Builder, heads: int = 4, count: int = SIDE * SIDE, width: int = CHANNELS) -> None:
    """Attention of several heads, as the tracing exporter writes it."""
    each, x = width // heads, b.last
    parts = []
    for perm in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]):
        b.last = x
        linear(b, width, width)
        b.add("Reshape", b.last, b.constant([1, count, heads, each], "int64"))
        parts.append(b.add("Transpose", perm=perm))
    b.add("MatMul", parts[0], parts[1])
    b.add("Mul", b.last, b.constant(each**-0.5))
    b.add("Softmax", axis=-1)
    b.add("MatMul", b.last, parts[2])
    b.add("Transpose", perm=[0, 2, 1, 3])
    b.add("Reshape", b.last, b.constant([1, count, width], "int64"))
    linear(b, width, width)


def squeeze_excite(b: Builder, gate: str = "Sigmoid", reduced: int = 16) -> None:
    """Scale channels by what their means say."""
    x = b.last
    b.add("GlobalAveragePool")
    b.convolution(reduced, CHANNELS)
    b.convolution(CHANNELS, reduced, act=gate)
    b.add("Mul", x, b.last)


def batch_norm(b: Builder) -> None:
    """A BatchNormalization that nothing can fold into: its input is an activation."""
    vectors = [
        b.constant(np.full(CHANNELS, value) + b.random.random(CHANNELS) * 0.1) for value in (1, 0, 0, 1)
    ]
    b.add("BatchNormalization", b.last, *vectors)


def concat(b: Builder, *parts: int) -> None:
    """Concat of convolutions with so many channels each, then a 1x1."""
    x, outputs = b.last, []
    for part in parts:
        b.last = x
        outputs.append(b.convolution(part, CHANNELS))
    b.add("Concat", *outputs, axis=1)
    b.convolution(CHANNELS, sum(parts))


def residual(b: Builder) -> None:
    """x + convolution(x)."""
    x = b.last
    b.add("Add", x, b.convolution(CHANNELS, CHANNELS, 3))


def branches(b: Builder) -> None:
    """A 3x3, a 1x1 and the identity, summed, as RepVGG trains it."""
    x = b.last
    three = b.convolution(CHANNELS, CHANNELS, 3, act="")
    b.last = x
    one = b.convolution(CHANNELS, CHANNELS, 1, act="")
    b.add("Add", b.add("Add", three, one), x)
    b.add("Relu")


def split_halves(b: Builder) -> None:
    """Split channels, convolve one half, concat."""
    one, two = b.several("Split", 2, b.last, b.constant([32, 32], "int64"), axis=1)
    b.last = two
    b.add("Concat", one, b.convolution(32, 32, 3), axis=1)


def layer_scale(b: Builder) -> None:
    """x + a stored vector times convolution(x)."""
    x = b.last
    b.convolution(CHANNELS, CHANNELS, 1, act="")
    b.add("Mul", b.last, b.constant(np.full((CHANNELS, 1, 1), 0.3) + b.random.random((CHANNELS, 1, 1))))
    b.add("Add", x, b.last)


def resize(b: Builder, mode: str, factor: float) -> None:
    """Enlarge the map."""
    coordinates = "asymmetric" if mode == "nearest" else "half_pixel"
    more = {"nearest_mode": "floor"} if mode == "nearest" else {}
    options = {"mode": mode, "coordinate_transformation_mode": coordinates, **more}
    b.add("Resize", b.last, "", b.constant([1, 1, factor, factor]), **options)


def slices(b: Builder) -> None:
    """Keep half of the channels."""
    ends = [b.constant([value], "int64") for value in (0, 32, 1)]
    b.add("Slice", b.last, *ends)
    b.convolution(CHANNELS, 32)


def reduce(b: Builder, kind: str) -> None:
    """One pixel of every map."""
    b.add(kind, axes=[2, 3], keepdims=1)


Step = Callable[[Builder], object]
STEPS: dict[str, Step] = {
    "plain": lambda _: None,
    "two": lambda b: b.convolution(CHANNELS, CHANNELS, 3),
    "three": lambda b: [b.convolution(CHANNELS, CHANNELS, 3) for _ in range(2)],
    "wide3x3_192": lambda b: [
        b.convolution(192, CHANNELS),
        b.convolution(192, 192, 3),
        b.convolution(CHANNELS, 192),
    ],
    "wide3x3_256": lambda b: [
        b.convolution(256, CHANNELS),
        b.convolution(256, 256, 3),
        b.convolution(CHANNELS, 256),
    ],
    "wide5x5_128": lambda b: [
        b.convolution(128, CHANNELS),
        b.convolution(128, 128, 5),
        b.convolution(CHANNELS, 128),
    ],
    "wide1x1_2048": lambda b: [b.convolution(2048, CHANNELS), b.convolution(CHANNELS, 2048)],
    "depthwise3": lambda b: b.convolution(CHANNELS, CHANNELS, 3, CHANNELS),
    "depthwise5": lambda b: b.convolution(CHANNELS, CHANNELS, 5, CHANNELS),
    "depthwise7": lambda b: b.convolution(CHANNELS, CHANNELS, 7, CHANNELS),
    "depthwise3_stride2": lambda b: b.convolution(CHANNELS, CHANNELS, 3, CHANNELS, strides=[2, 2]),
    "linear_output": lambda b: b.convolution(CHANNELS, CHANNELS, act=""),
    "sigmoid": lambda b: b.convolution(CHANNELS, CHANNELS, act="Sigmoid"),
    "tanh": lambda b: b.convolution(CHANNELS, CHANNELS, act="Tanh"),
    "leaky": lambda b: b.convolution(CHANNELS, CHANNELS, act="LeakyRelu"),
    "elu": lambda b: b.convolution(CHANNELS, CHANNELS, act="Elu"),
    "softplus": lambda b: b.convolution(CHANNELS, CHANNELS, act="Softplus"),
    "hard_sigmoid": lambda b: [
        b.convolution(CHANNELS, CHANNELS, act=""),
        b.add("HardSigmoid", alpha=1 / 6, beta=0.5),
    ],
    "prelu": lambda b: [
        b.convolution(CHANNELS, CHANNELS, act=""),
        b.add("PRelu", b.last, b.constant(np.full((CHANNELS, 1, 1), 0.2))),
    ],
    "silu": lambda b: [b.convolution(CHANNELS, CHANNELS, act=""), silu(b)],
    "silu_twice": lambda b: [(b.convolution(CHANNELS, CHANNELS, act=""), silu(b)) for _ in range(2)],
    "gelu": lambda b: [b.convolution(CHANNELS, CHANNELS, act=""), gelu(b)],
    "hard_swish_pieces": lambda b: [b.convolution(CHANNELS, CHANNELS, act=""), hard_swish_pieces(b)],
    "hard_swish_alone": hard_swish_pieces,
    "silu_alone": silu,
    "gelu_alone": gelu,
    "batch_norm": batch_norm,
    "batch_norm_relu": lambda b: [batch_norm(b), b.add("Relu")],
    "mul_vector": lambda b: b.add("Mul", b.last, b.constant(np.full((1, CHANNELS, 1, 1), 0.5))),
    "mul_scalar": lambda b: b.add("Mul", b.last, b.constant(0.5)),
    "add_vector": lambda b: b.add(
        "Add", b.last, b.constant(np.linspace(0, 1, CHANNELS).reshape(1, -1, 1, 1))
    ),
    "add_map": lambda b: b.add("Add", b.last, b.weight(1, CHANNELS, SIDE, SIDE)),
    "residual": residual,
    "residual_twice": lambda b: [residual(b), residual(b)],
    "layer_scale": layer_scale,
    "squeeze_excite": squeeze_excite,
    "squeeze_excite_hard": lambda b: squeeze_excite(b, "HardSigmoid"),
    "branches": branches,
    "concat_32_32": lambda b: concat(b, 32, 32),
    "concat_20_44": lambda b: concat(b, 20, 44),
    "split_halves": split_halves,
    "slice_half": slices,
    "max_pool2": lambda b: b.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2]),
    "max_pool3": lambda b: b.add("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    "max_pool5_same": lambda b: b.add("MaxPool", kernel_shape=[5, 5], pads=[2, 2, 2, 2]),
    "average_pool2": lambda b: b.add("AveragePool", kernel_shape=[2, 2], strides=[2, 2]),
    "average_pool3_same": lambda b: b.add("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    "global_average": lambda b: b.add("GlobalAveragePool"),
    "reduce_mean": lambda b: reduce(b, "ReduceMean"),
    "reduce_max": lambda b: reduce(b, "ReduceMax"),
    "global_max": lambda b: b.add("GlobalMaxPool"),
    "resize_nearest2": lambda b: resize(b, "nearest", 2.0),
    "resize_linear2": lambda b: resize(b, "linear", 2.0),
    "transposed2": lambda b: b.add(
        "ConvTranspose", b.last, b.weight(CHANNELS, CHANNELS, 2, 2), strides=[2, 2]
    ),
    "transposed4": lambda b: b.add(
        "ConvTranspose", b.last, b.weight(CHANNELS, CHANNELS, 4, 4), strides=[2, 2], pads=[1, 1, 1, 1]
    ),
    "pad_reflect": lambda b: b.add(
        "Pad", b.last, b.constant([0, 0, 1, 1, 0, 0, 1, 1], "int64"), mode="reflect"
    ),
    "softmax_channels": lambda b: b.add("Softmax", axis=1),
    "layer_norm_last": lambda b: channels_last(b, layer_norm_pieces),
    "gelu_last": lambda b: channels_last(b, gelu),
    "linear_last": lambda b: channels_last(b, lambda c: linear(c, CHANNELS, CHANNELS)),
    "mlp_last": lambda b: channels_last(b, lambda c: [linear(c, 256, 64), gelu(c), linear(c, 64, 256)]),
    "transposes": lambda b: channels_last(b, lambda c: c.add("Relu")),
    "tokens_linear": lambda b: tokens(b, lambda c: linear(c, CHANNELS, CHANNELS)),
    "tokens_layer_norm": lambda b: tokens(b, layer_norm_pieces),
    "tokens_softmax": lambda b: tokens(b, lambda c: c.add("Softmax", axis=-1)),
    "tokens_attention": lambda b: tokens(b, attention),
    "tokens_attention_twice": lambda b: tokens(b, lambda c: [attention(c), attention(c)]),
    "attention_3_14_192": lambda b: attention_of(b, 3, 14, 192),
    "attention_6_14_192": lambda b: attention_of(b, 6, 14, 192),
    "attention_8_7_256": lambda b: attention_of(b, 8, 7, 256),
    "attention_2_14_64": lambda b: attention_of(b, 2, 14, 64),
    "attention_1_28_32": lambda b: attention_of(b, 1, 28, 32),
    "reshape_flat_gemm": lambda b: [
        b.add("GlobalAveragePool"),
        b.add("Flatten"),
        b.add("Gemm", b.last, b.weight(256, CHANNELS), b.constant(np.zeros(256)), transB=1),
        b.add("Reshape", b.last, b.constant([1, CHANNELS, 2, 2], "int64")),
    ],
    "sqrt": lambda b: b.add("Sqrt"),
    "exp": lambda b: b.add("Exp"),
    "abs": lambda b: b.add("Abs"),
    "mul_maps": lambda b: b.add("Mul", b.last, b.convolution(CHANNELS, CHANNELS, 1)),
    "sub_maps": lambda b: b.add("Sub", b.last, b.convolution(CHANNELS, CHANNELS, 1)),
    "div_maps": lambda b: b.add("Div", b.last, b.convolution(CHANNELS, CHANNELS, 1)),
    "max_maps": lambda b: b.add("Max", b.last, b.convolution(CHANNELS, CHANNELS, 1)),
    "depth_to_space": lambda b: [b.add("DepthToSpace", blocksize=2), b.convolution(CHANNELS, 16)],
    "space_to_depth": lambda b: [b.add("SpaceToDepth", blocksize=2), b.convolution(CHANNELS, 256)],
}


def graphs() -> dict[str, onnx.ModelProto]:
    """Return every graph by the name that the list of networks gives it."""
    return {f"op_{name}": graph(step) for name, step in STEPS.items()}


def graph(step: Step) -> onnx.ModelProto:
    """Return the graph around one step; the last convolution takes the channels and the map that it left."""
    b = Builder()
    b.convolution(CHANNELS, 32, 3)
    step(b)
    b.convolution(32, CHANNELS)
    return b.model((1, 32, SIDE, SIDE))
