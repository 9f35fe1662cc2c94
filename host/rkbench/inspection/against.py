"""How far each layer of a .rknn is from its ONNX: the file computed here, onnxruntime beside it.

A tensor of the .rknn is held against the one of its name in the ONNX. *So far* is the error that has gathered
up to there, from the inputs on; *own* is what the layer adds: onnxruntime computes it from what the .rknn
itself handed in. What a ReLU or a Clip behind a tensor cuts off is not compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rkbench.errors import ModelError, NoModelError, UsageError
from rkbench.npu.execute.executor import Executor
from rkbench.rknn import RknnModel
from rkbench.rknn.contents import Node
from rkbench.rknn.graph_shape import GraphShape, graph_shape
from rkbench.rknn.identify import refuse_as_onnx
from rkbench.stats.similarity import cosine

BAD_COSINE = 0.99
"""Below it a layer is called bad: int8 layers of sound models stay above (docs/npu.md)."""
SEED = 0
NO_LIMITS = (-inf, inf)
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class LayerError:
    """One layer's output against the ONNX's tensor of its name."""

    layer: str
    tensor: str
    own_cosine: float
    """Of the layer alone, fed with what the .rknn computed before it."""
    cosine: float
    """From the inputs on."""
    largest_error: float
    """Largest absolute difference from the inputs on."""
    range: float
    """Largest absolute value that onnxruntime has."""

    @property
    def is_bad(self) -> bool:
        """Whether the layer by itself is far from the ONNX; a cosine that is no number is."""
        return not self.own_cosine >= BAD_COSINE


@dataclass(frozen=True)
class AgainstOnnx:
    """All layers that the ONNX knows by name, in the order in which they run."""

    model: Path
    onnx: Path
    layers: tuple[LayerError, ...]
    unmatched: tuple[str, ...]
    """Layers whose output the ONNX has no tensor of the name and size for: the compiler's own."""
    shape: GraphShape | None = None
    """Which of several input shapes was compared; None where the file holds one."""

    @property
    def first_bad(self) -> LayerError | None:
        """The first layer that is bad by itself; None where none is."""
        return next((each for each in self.layers if each.is_bad), None)


def compare_with_onnx(model: RknnModel, onnx_path: Path) -> AgainstOnnx:
    """Return the error of each layer, on standard normal inputs.

    Raises NotModelledError as `Executor` does, UsageError without onnxruntime, ModelError for an ONNX that
    cannot be run or has other inputs.
    """
    reference = _Reference(onnx_path)
    executor = Executor(model)
    random = np.random.default_rng(SEED)
    feeds: Arrays = {t.name: random.standard_normal(t.shape).astype(np.float32) for t in executor.inputs}
    computed: Arrays = dict(feeds)
    layer_of: dict[str, str] = {}
    unmatched: list[str] = []

    def watch(node: Node, tensors: Mapping[str, NDArray[Any]]) -> None:
        for name, values in tensors.items():
            if name in reference.producers:
                computed[name], layer_of[name] = values, node.name
            else:
                unmatched.append(node.name)

    executor.run(feeds, watch)
    so_far = reference.run(reference.nodes, feeds, list(layer_of))
    layers = tuple(_errors(reference, computed, so_far, layer_of))
    return AgainstOnnx(model.file.path, onnx_path, layers, tuple(unmatched), graph_shape(model))


def _errors(
    reference: _Reference, computed: Arrays, so_far: Arrays, layer_of: Mapping[str, str]
) -> Iterator[LayerError]:
    for name, layer in layer_of.items():
        if so_far[name].size != computed[name].size:
            continue
        low, high = reference.read_between(name)
        known = (so_far[name], computed[name], reference.alone(name, computed))
        expected, values, alone = (np.clip(each.astype(np.float64), low, high) for each in known)
        yield LayerError(
            layer,
            name,
            cosine(values, alone),
            cosine(values, expected),
            _largest_error(values, expected),
            float(np.abs(expected).max(initial=0)),
        )


def _largest_error(values: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    with np.errstate(invalid="ignore"):
        return float(np.abs(values.ravel() - expected.ravel()).max(initial=0))


class _Reference:
    """An ONNX, of which onnxruntime computes any part."""

    def __init__(self, path: Path) -> None:
        try:
            import onnx
        except ModuleNotFoundError as error:
            raise UsageError(
                "--against needs onnx and onnxruntime", hint="pip install 'rkbench[onnx]'"
            ) from error
        if not path.is_file():
            raise NoModelError(
                f"{path}: no such file", hint="name the ONNX that the .rknn was converted from"
            )
        refuse_as_onnx(path)
        self._path = path
        try:
            self._model = onnx.shape_inference.infer_shapes(onnx.load(str(path)))
        except Exception as error:  # protobuf's and onnx's exceptions share no base but Exception
            raise ModelError(
                f"{path}: no ONNX that can be read: {error}", hint="name the model's ONNX"
            ) from error
        graph = self._model.graph
        self.nodes: list[Any] = list(graph.node)
        self.producers = {name: node for node in self.nodes for name in node.output}
        self._outputs = {each.name for each in graph.output}
        self._readers: dict[str, list[Any]] = {}
        for node in self.nodes:
            for source in node.input:
                self._readers.setdefault(source, []).append(node)
        self._constants = {each.name: each for each in graph.initializer}
        self._shapes = {
            value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
            for value in (*graph.input, *graph.value_info, *graph.output)
        }

    def alone(self, name: str, known: Arrays) -> NDArray[Any]:
        """Return a tensor as onnxruntime computes it from the nearest tensors that are `known`."""
        taken: set[int] = set()
        feeds: Arrays = {}
        open_names = [name]
        while open_names:
            node = self.producers[open_names.pop()]
            if id(node) in taken:
                continue
            taken.add(id(node))
            for source in node.input:
                if source in known:
                    feeds[source] = known[source]
                elif source in self.producers:
                    open_names.append(source)
        ordered = [node for node in self.nodes if id(node) in taken]
        return self.run(ordered, feeds, [name])[name]

    def read_between(self, name: str) -> tuple[float, float]:
        """Return the limits that all who read a tensor cut it to, also behind a Concat; else no limits.

        The converter gives int8 tensors the range of the ReLU behind them: what it cuts off is no loss.
        """
        readers = self._readers.get(name, [])
        behind = [node.output[0] for node in readers if node.op_type == "Concat"]
        limits = [self._limits(node) for node in readers if node.op_type != "Concat"]
        limits += [self._limits(node) for joined in behind for node in self._readers.get(joined, [])]
        if not limits or not self._outputs.isdisjoint((name, *behind)):
            return NO_LIMITS
        return min(low for low, _ in limits), max(high for _, high in limits)

    def _limits(self, node: Any) -> tuple[float, float]:
        if node.op_type == "Relu":
            return 0.0, inf
        if node.op_type != "Clip":
            return NO_LIMITS
        given = {each.name: each.f for each in node.attribute}
        low, high = (self._number(name) for name in (*node.input, "", "")[1:3])
        return given.get("min", -inf if low is None else low), given.get("max", inf if high is None else high)

    def _number(self, name: str) -> float | None:
        """Return a constant of one value; None for what is none."""
        from onnx import numpy_helper

        held = self._constants.get(name)
        if held is None and name in self.producers and self.producers[name].op_type == "Constant":
            held = next((each.t for each in self.producers[name].attribute if each.name == "value"), None)
        return None if held is None else float(numpy_helper.to_array(held).ravel()[0])

    def run(self, nodes: Sequence[Any], feeds: Arrays, outputs: list[str]) -> Arrays:
        """Return `outputs` of a part of the graph; raises ModelError with onnxruntime's words."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        try:
            session = onnxruntime.InferenceSession(
                self._part(nodes, feeds, outputs), options, providers=["CPUExecutionProvider"]
            )
            shaped = {key: np.ascontiguousarray(self._shaped(key, value)) for key, value in feeds.items()}
            found = session.run(outputs, shaped)
        except Exception as error:  # onnxruntime's exceptions share no base but Exception
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ModelError(
                f"onnxruntime cannot run {self._path} beside the .rknn: {reason}",
                hint="is it the ONNX that the .rknn was converted from?",
            ) from error
        return dict(zip(outputs, found, strict=True))

    def _shaped(self, name: str, values: NDArray[Any]) -> NDArray[Any]:
        shape = self._shapes.get(name)
        return values.reshape(shape) if shape and all(shape) else values

    def _part(self, nodes: Sequence[Any], feeds: Arrays, outputs: list[str]) -> bytes:
        from onnx import TensorProto, helper

        used = {source for node in nodes for source in node.input}
        given = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, self._shaped(name, value).shape)
            for name, value in feeds.items()
        ]
        wanted = [helper.make_empty_tensor_value_info(name) for name in outputs]
        constants = [each for name, each in self._constants.items() if name in used]
        graph = helper.make_graph(nodes, "part", given, wanted, constants)
        model = helper.make_model(
            graph, opset_imports=self._model.opset_import, ir_version=self._model.ir_version
        )
        part: bytes = model.SerializeToString()
        return part
