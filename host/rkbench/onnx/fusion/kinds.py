"""Which operators the compiler treats alike."""

from __future__ import annotations

from rkbench.onnx.fusion.layer import Kind

PLAIN_ACTIVATIONS = frozenset({"Relu", "LeakyRelu", "PRelu", "Clip", "Relu6", "Abs"})
"""Activations that the output stage computes itself, without a table."""
TAKERS: tuple[Kind, ...] = ("convolution", "map", "narrow", "concat", "order")
"""Layers that take in an activation of the output stage which follows; a PRelu goes into the first alone."""
RENAMING = frozenset(
    {
        *("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout", "Cast", "Transpose"),
        *("QuantizeLinear", "DequantizeLinear", "Shape", "Size", "Constant"),
    }
)
ON_CPU = frozenset(
    {
        *(
            "Exp",
            "Log",
            "SpaceToDepth",
            "RNN",
            "ArgMax",
            "ArgMin",
            "TopK",
            "NonZero",
            "Gather",
            "GatherND",
            "Where",
            "Equal",
        ),
        *(
            "Greater",
            "Less",
            "Not",
            "And",
            "Or",
            "CumSum",
            "ScatterND",
            "GridSample",
            "NonMaxSuppression",
            "Sin",
        ),
        *("Cos", "Sign", "Floor", "Ceil", "Round", "OneHot", "Range", "Expand", "Tile", "GatherElements"),
    }
)
KINDS: dict[str, Kind] = {
    "MaxPool": "pool",
    "AveragePool": "pool",
    "Softmax": "softmax",
    "LogSoftmax": "softmax",
    "LayerNormalization": "norm",
    "InstanceNormalization": "norm",
    "GroupNormalization": "norm",
    "LpNormalization": "norm",
    "Concat": "concat",
    "Split": "split",
    "Slice": "split",
    "Resize": "resize",
    "Upsample": "resize",
    "Pad": "pad",
}
ARITHMETIC = frozenset({"Add", "Mul", "Sub", "Div", "Max", "Min", "Pow", "Sum"})
RECURRENT = frozenset({"GRU", "LSTM"})
CONVOLUTIONS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
