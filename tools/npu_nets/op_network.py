"""`OpNetwork`: a net of a few operators, written as one chain.

OpNetwork("x:1x18x9x11").conv(24).op("Relu").mark("a").conv(24).op("Add", "a")

Weights are random, from a fixed seed; several inputs follow one another ("x:1x18x9x11 y:1x5x9x11").
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

sys.path.insert(0, str(Path(__file__).parents[2] / "tests/data/models"))

from make_small_samples import Network

CASES = 2
Operand = str | float | list[int] | tuple[int, ...] | np.ndarray
"""A tensor by its mark, a number, whole numbers, the shape of random values, or the values."""


class OpNetwork(Network):
    """A chain of operators that tells its channels itself; `current` is the last tensor."""

    def __init__(self, inputs: str) -> None:
        parts = (each.split(":") for each in inputs.split())
        self.fed = {name: [int(side) for side in shape.split("x")] for name, shape in parts}
        first = next(iter(self.fed))
        super().__init__(self.fed[first])
        self.current, self.channels = first, self.shape[1]
        self.marks = {name: (name, shape[1]) for name, shape in self.fed.items()}
        self.outputs: list[str] = []

    def conv(self, outputs: int, kernel: Any = 3, kind: str = "Conv", **more: Any) -> OpNetwork:
        """Append a convolution that keeps the size of the map, where `pads` and `strides` do not say else."""
        sides = list(kernel) if isinstance(kernel, tuple) else [kernel] * 2
        groups, dilations = more.get("group", 1), more.get("dilations", [1, 1])
        pads = [(side - 1) * every // 2 for side, every in zip(sides, dilations, strict=True)] * 2
        ends = (outputs, self.channels // groups) if kind == "Conv" else (self.channels, outputs // groups)
        scale = np.sqrt(2 / (self.channels // groups * sides[0] * sides[1]))
        weights = self.constant((self.rng.standard_normal((*ends, *sides)) * scale).astype("float32"))
        bias = [self.constant((self.rng.standard_normal(outputs) * 0.1).astype("float32"))]
        more.setdefault("pads", pads)
        self.add(kind, weights, *([] if more.pop("bare", False) else bias), kernel_shape=sides, **more)
        self.channels = outputs
        return self

    def op(self, kind: str, *operands: Operand, channels: int = 0, parts: int = 1, **more: Any) -> OpNetwork:
        """Append an operator; `channels` where it changes them, `parts` where it has several outputs."""
        names = [self._named(operand) for operand in operands]
        self.add(kind, *names, outputs=parts, **more)
        self.channels = channels or self.channels
        return self

    def mark(self, name: str) -> OpNetwork:
        """Name the last tensor, to come `back` to it."""
        self.marks[name] = self.current, self.channels
        return self

    def back(self, name: str) -> OpNetwork:
        """Go on from a marked tensor."""
        self.current, self.channels = self.marks[name]
        return self

    def part(self, split: str, number: int, channels: int) -> OpNetwork:
        """Go on from an output of a marked Split."""
        name = self.marks[split][0]
        self.current, self.channels = (f"{name}_{number}" if number else name), channels
        return self

    def number(self, value: float) -> OpNetwork:
        """Go on from a number: it is the first operand then."""
        self.current = self._named(value)
        return self

    def out(self) -> OpNetwork:
        """Make the last tensor an output; without any it is the only one."""
        self.outputs.append(self.current)
        return self

    def _named(self, operand: Operand) -> str:
        if isinstance(operand, str):
            return self.marks[operand][0] if operand else ""
        if isinstance(operand, list):
            return self.constant(np.array(operand, "int64"))
        if isinstance(operand, tuple):
            return self.constant((self.rng.standard_normal(operand) * 0.3).astype("float32"))
        return self.constant(np.asarray(operand, "float32"))

    def save(self, path: Path) -> None:
        """Write the ONNX, and beside it (`.npz`) two standard normal cases in steps of 1/32, 4-D as NHWC."""
        values = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in self.fed.items()
        ]
        ends = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
            for name in self.outputs or [self.current]
        ]
        graph = helper.make_graph(self.nodes, "op", values, ends, self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        onnx.save(onnx.shape_inference.infer_shapes(model), path)
        random, cases = np.random.default_rng(11), {}
        for name, (batch, *places) in self.fed.items():
            sides = [*places[1:], places[0]] if len(places) == 3 else places
            drawn = np.rint(random.standard_normal((CASES, batch, *sides)) * 32) / 32
            cases[f"inputs/{name}"] = drawn.astype("float32")
        np.savez_compressed(path.with_suffix(".npz"), **cases)
