"""How far each layer of a .rknn is from its ONNX: the file computed here, onnxruntime beside it.

A tensor of the .rknn is held against the one of its name in the ONNX. *So far* is the error that has gathered
up to there, from the inputs on; *own* is what the layer adds: onnxruntime computes it from what the .rknn
itself handed in. What a ReLU or a Clip behind a tensor cuts off is not compared, and no layer is blamed for
what nothing reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from math import prod
from operator import mul
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rkbench.errors import ModelError
from rkbench.inspection.parts_of_onnx import Arrays, PartsOfOnnx
from rkbench.left_behind import working_folder
from rkbench.npu.execute.executor import OF_THE_RUNTIME, Executor
from rkbench.rknn import RknnModel
from rkbench.rknn.contents import Node
from rkbench.rknn.graph_shape import GraphShape, graph_shape
from rkbench.stats.similarity import cosine

BAD_COSINE = 0.99
"""Below it a layer is called bad: int8 layers of sound models stay above (docs/npu.md)."""
SEED = 0
MOST_NAMES = 4


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
    is_harmless: bool = False
    """Whether it is far from the ONNX where nothing looks: all that read it are right from the inputs on."""

    @property
    def is_bad(self) -> bool:
        """Whether the layer by itself is far from the ONNX; a cosine that is no number is."""
        return not (self.own_cosine >= BAD_COSINE or self.is_harmless)


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
    whole_inputs: tuple[str, ...] = ()
    """Inputs of whole numbers: 0 or 1, and bytes 0 to 255, instead of standard normal values."""

    @property
    def first_bad(self) -> LayerError | None:
        """The first layer that is bad by itself; None where none is."""
        return next((each for each in self.layers if each.is_bad), None)


def compare_with_onnx(model: RknnModel, onnx_path: Path) -> AgainstOnnx:
    """Return the error of each layer, on standard normal inputs; whole numbers are 0 or 1, bytes 0 to 255.

    Raises NotModelledError as `Executor` does, UsageError without onnxruntime, ModelError for an ONNX that
    cannot be run, has other inputs, or no tensor of the name of any layer's.
    """
    with working_folder(Path(gettempdir()), "rkbench-against-") as folder:
        return _compared(model, PartsOfOnnx(onnx_path, folder), onnx_path)


def _compared(model: RknnModel, reference: PartsOfOnnx, onnx_path: Path) -> AgainstOnnx:
    executor = Executor(model)
    random = np.random.default_rng(SEED)
    feeds: Arrays = {t.name: _values(random, t.shape, reference.dtype(t.name)) for t in executor.inputs}
    watched: dict[str, tuple[str, NDArray[Any]]] = {}
    unmatched: list[str] = []

    def watch(node: Node, tensors: Mapping[str, NDArray[Any]]) -> None:
        for name, values in tensors.items():
            if name in reference.producers:
                watched[name] = node.name, values
            else:
                unmatched.append(node.name)

    executor.run(feeds, watch)
    if not watched:
        raise _of_another_net(model, reference, onnx_path)
    so_far = reference.run(reference.nodes, feeds, list(watched))
    turned = {name: in_order_of(so_far[name].shape, values) for name, (_, values) in watched.items()}
    unmatched += [layer for name, (layer, _) in watched.items() if turned[name] is None]
    computed = feeds | {name: values for name, values in turned.items() if values is not None}
    layer_of = {name: layer for name, (layer, _) in watched.items() if name in computed}
    layers = _errors(reference, computed, so_far, layer_of)
    return AgainstOnnx(
        model.file.path,
        onnx_path,
        _without_blame(reference, layers),
        tuple(unmatched),
        graph_shape(model),
        tuple(name for name, values in feeds.items() if values.dtype.kind != "f"),
    )


def _values(random: np.random.Generator, shape: Sequence[int], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return an input as `bench golden` makes one; 0 and 1 are places in any table, and truths."""
    if dtype.kind not in "iub":
        return random.standard_normal(shape).astype(np.float32)
    return random.integers(0, 256 if dtype == np.uint8 else 2, shape).astype(dtype)


def _of_another_net(model: RknnModel, reference: PartsOfOnnx, onnx_path: Path) -> ModelError:
    computing = [node for node in model.graphs[0].nodes if node.type not in OF_THE_RUNTIME]
    written = [model.tensors[index].name for node in computing for index in node.outputs]
    sides = ("the .rknn writes:", written), ("the ONNX has:", list(reference.producers))
    told = "".join(f"\n  {side:<18}{', '.join(names[:MOST_NAMES])}" for side, names in sides)
    return ModelError(
        f"{onnx_path} has no tensor of the name of any layer's output in {model.file.path.name}{told}",
        hint="it is another network's, or was made anew with other names: name the ONNX that the .rknn was "
        "converted from",
    )


def _without_blame(reference: PartsOfOnnx, layers: Iterable[LayerError]) -> tuple[LayerError, ...]:
    """Mark what differs where nothing looks: the converter empties channels that have no effect."""
    by_tensor = {each.tensor: each for each in layers}

    def is_harmless(layer: LayerError) -> bool:
        readers = reference.next_known(layer.tensor, by_tensor) if layer.is_bad else ()
        return bool(readers) and all(by_tensor[name].cosine >= BAD_COSINE for name in readers)

    return tuple(replace(each, is_harmless=is_harmless(each)) for each in by_tensor.values())


def in_order_of(shape: Sequence[int], values: NDArray[Any]) -> NDArray[Any] | None:
    """Return values in the ONNX's shape; None where that is another tensor's.

    The converter keeps channels before places also where the ONNX has them last: (1, 48, 56, 56) of
    (1, 56, 56, 48), or (1, 192, 1, 197) of (1, 197, 192).
    """
    if prod(shape) != values.size:
        return None
    if _is_regrouped(values.shape, shape):
        return values.reshape(shape)
    last = np.moveaxis(values, 1, -1) if values.ndim > 1 else values
    return last.reshape(shape) if _is_regrouped(last.shape, shape) else None


def _is_regrouped(shape: Sequence[int], other: Sequence[int]) -> bool:
    """Say whether one shape splits the dimensions of the other, in order."""
    steps, others = (set(accumulate((each for each in dims if each > 1), mul)) for dims in (shape, other))
    return steps <= others or others <= steps


def _errors(
    reference: PartsOfOnnx, computed: Arrays, so_far: Arrays, layer_of: Mapping[str, str]
) -> Iterator[LayerError]:
    for name, layer in layer_of.items():
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
