"""Small ONNX networks for the tests, layer by layer; weights are seeded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 13


class Network:
    """Appends layers to `self.value`; `save` writes the network with that value as output."""

    def __init__(self, *shape: int | str) -> None:
        self.random = np.random.default_rng(7)
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.shape = shape
        self.value = "x"
        self.extra_inputs: list[onnx.ValueInfoProto] = []
        self.element_type = TensorProto.FLOAT

    def constant(self, name: str, array: np.ndarray) -> str:
        """Add an initializer."""
        if array.dtype.kind == "f" and self.element_type == TensorProto.FLOAT16:
            array = array.astype("float16")
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def weights(self, name: str, *shape: int) -> str:
        """Add an initializer of seeded normal values."""
        return self.constant(name, (self.random.standard_normal(shape) * 0.1).astype("float32"))

    def add(self, op_type: str, *inputs: str, name: str = "", **attributes: Any) -> Network:
        """Append a node that takes the current value first."""
        name = name or f"{op_type}_{len(self.nodes)}"
        node = helper.make_node(op_type, [self.value, *inputs], [f"{name}_out"], name=name, **attributes)
        self.nodes.append(node)
        self.value = f"{name}_out"
        return self

    def conv(
        self,
        inputs: int,
        outputs: int,
        kernel: tuple[int, ...] = (3, 3),
        group: int = 1,
        *,
        bias: bool = True,
        name: str = "",
        weights: str = "",
        **attributes: Any,
    ) -> Network:
        """Append a Conv whose padding keeps the size at stride 1."""
        name = name or f"Conv_{len(self.nodes)}"
        weights = weights or self.weights(f"{name}_w", outputs, inputs // group, *kernel)
        given = [weights, self.weights(f"{name}_b", outputs)] if bias else [weights]
        steps = attributes.get("dilations", [1] * len(kernel))
        pads = [(side - 1) // 2 * step for side, step in zip(kernel, steps, strict=True)] * 2
        return self.add(
            "Conv", *given, name=name, kernel_shape=list(kernel), group=group, pads=pads, **attributes
        )

    def save(self, path: Path, *, outputs: tuple[str, ...] = (), opset: int = OPSET) -> Path:
        """Check and write the network."""
        made = [
            helper.make_tensor_value_info(name, self.element_type, None) for name in (*outputs, self.value)
        ]
        given = [helper.make_tensor_value_info("x", self.element_type, self.shape), *self.extra_inputs]
        graph = helper.make_graph(self.nodes, "tested", given, made, self.initializers)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", opset)], producer_name="tests"
        )
        model.ir_version = 8
        helper.set_model_props(model, {"author": "tests"})
        model = onnx.shape_inference.infer_shapes(model)
        del model.graph.value_info[:]
        onnx.checker.check_model(model)
        onnx.save(model, path)
        return path


def grouped(channels: int, per_group: int, *, size: int = 8, kernel: int = 3) -> Network:
    """Return 1x1 -> Relu -> grouped convolution `target` -> Relu: the case that bloats."""
    network = Network(1, 4, size, size).conv(4, channels, (1, 1)).add("Relu")
    square = (kernel, kernel)
    return network.conv(channels, channels, square, channels // per_group, name="target").add("Relu")
