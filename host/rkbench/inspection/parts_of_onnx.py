"""An ONNX of which onnxruntime computes any part: what layers of a .rknn are held against."""

from __future__ import annotations

import errno
from collections.abc import Container, Iterable, Sequence
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rkbench.errors import ModelError, NoModelError, UsageError
from rkbench.onnx.runtime import load_onnxruntime
from rkbench.rknn.identify import refuse_as_onnx
from rkbench.units import format_bytes

NO_LIMITS = (-inf, inf)
Arrays = dict[str, NDArray[Any]]
WEIGHTS = "weights"
#: Smaller ones stay in the graph: shapes, limits, scales, which onnx wants to see.
LEAST_APART_BYTES = 4096
#: What onnx, protobuf and onnxruntime say where memory is short.
SHORT = ("bad alloc", "bad_alloc", "allocate memory", "Failed to serialize proto", "out of memory")


class PartsOfOnnx:
    """An ONNX, whole or in parts; its weights are put into a file in `folder`, which every part reads.

    Raises UsageError without onnx or onnxruntime, NoModelError and ModelError for a file that cannot be read,
    also where memory is too short for it.
    """

    def __init__(self, path: Path, folder: Path) -> None:
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
        self._path, self._folder = path, folder
        try:
            network = onnx.load(str(path))
            _put_apart(network.graph.initializer, folder / WEIGHTS)
            self._model = onnx.shape_inference.infer_shapes(network)
        except Exception as error:  # protobuf's and onnx's exceptions share no base but Exception
            raise _short_of(path, error) or ModelError(
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
        self._kinds = {
            value.name: value.type.tensor_type.elem_type
            for value in (*graph.input, *graph.value_info, *graph.output)
        }

    def dtype(self, name: str) -> np.dtype[Any]:
        """Return the dtype of a tensor; float32 where the ONNX does not tell."""
        from onnx import TensorProto, helper

        found: np.dtype[Any] = helper.tensor_dtype_to_np_dtype(self._kinds.get(name) or TensorProto.FLOAT)
        return found

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

    def next_known(self, name: str, known: Container[str]) -> set[str]:
        """Return which of `known` are made of a tensor next; none where what reads it ends unknown."""
        found: set[str] = set()
        open_names, seen = [name], {name}
        while open_names:
            source = open_names.pop()
            if source in self._outputs:
                return set()
            for made in (each for node in self._readers.get(source, []) for each in node.output):
                if made in known:
                    found.add(made)
                elif made not in seen:
                    seen.add(made)
                    open_names.append(made)
        return found

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
        onnxruntime = load_onnxruntime()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        try:
            part = self._part(nodes, feeds, outputs)
            session = onnxruntime.InferenceSession(str(part), options, providers=["CPUExecutionProvider"])
            shaped = {key: np.ascontiguousarray(self._shaped(key, value)) for key, value in feeds.items()}
            found = session.run(outputs, shaped)
        except Exception as error:  # onnxruntime's exceptions share no base but Exception
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise _short_of(self._path, error) or ModelError(
                f"onnxruntime cannot run {self._path} beside the .rknn: {reason}",
                hint="is it the ONNX that the .rknn was converted from?",
            ) from error
        return dict(zip(outputs, found, strict=True))

    def _shaped(self, name: str, values: NDArray[Any]) -> NDArray[Any]:
        """Return values as the ONNX has them: its shape where it tells one, and its dtype."""
        shape, dtype = self._shapes.get(name), self.dtype(name)
        if dtype.kind in "iu" and values.dtype.kind == "f":
            values = np.rint(values)
        values = values.astype(dtype, copy=False)
        return values.reshape(shape) if shape and all(shape) else values

    def _part(self, nodes: Sequence[Any], feeds: Arrays, outputs: list[str]) -> Path:
        """Write a part of the graph as an ONNX beside the weights."""
        from onnx import TensorProto, helper

        used = {source for node in nodes for source in node.input}
        given = [
            helper.make_tensor_value_info(
                name, self._kinds.get(name) or TensorProto.FLOAT, self._shaped(name, value).shape
            )
            for name, value in feeds.items()
        ]
        wanted = [helper.make_empty_tensor_value_info(name) for name in outputs]
        constants = [each for name, each in self._constants.items() if name in used]
        graph = helper.make_graph(nodes, "part", given, wanted, constants)
        model = helper.make_model(
            graph, opset_imports=self._model.opset_import, ir_version=self._model.ir_version
        )
        part = self._folder / "part.onnx"
        part.write_bytes(model.SerializeToString())
        return part


def _put_apart(constants: Iterable[Any], target: Path) -> None:
    """Move the bytes of large constants into a file: a part of the graph then names them, and holds no copy.

    So memory holds an ONNX once while it is read, however many of its layers are computed.
    """
    from onnx import TensorProto

    with target.open("wb") as file:
        for constant in constants:
            if len(constant.raw_data) < LEAST_APART_BYTES:
                continue
            place = {"location": WEIGHTS, "offset": file.tell(), "length": file.write(constant.raw_data)}
            constant.ClearField("raw_data")
            constant.data_location = TensorProto.EXTERNAL
            del constant.external_data[:]
            for key, value in place.items():
                constant.external_data.add(key=key, value=str(value))


def _short_of(path: Path, error: Exception) -> ModelError | None:
    """Return what to tell of an error that says that memory or disk are too small; None for any other."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = error.filename or "the temporary folder"
        return ModelError(
            f"{where}: {error.strerror}: the weights of {path} are put there",
            hint="make room, or name a folder that has some: TMPDIR=FOLDER bench inspect ...",
        )
    size_bytes, said = path.stat().st_size, str(error)
    if isinstance(error, MemoryError) or any(words in said for words in SHORT) or _too_much(2 * size_bytes):
        return ModelError(
            f"{path}: memory is too short to compute it beside the .rknn: it has {format_bytes(size_bytes)}, "
            "and reading takes twice that",
            hint="end other programs, raise the limit (ulimit -v), or use a computer with more memory",
        )
    return None


def _too_much(size_bytes: int) -> bool:
    """Return whether so many bytes cannot be had: protobuf calls a file damaged that it finds no room for."""
    try:
        np.empty(size_bytes, np.uint8)
    except MemoryError:
        return True
    return False
