"""Parts of an ONNX by onnx's own extractor: its first layers, or one layer alone.

A layer is a node that computes floats from the network's inputs; what computes shapes or folds constants is
part of the layer that reads it. Nodes stand in topological order, so that the first K are closed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rkbench.errors import ModelError
from rkbench.onnx.input_shapes import InputShapes
from rkbench.onnx.model import open_onnx

if TYPE_CHECKING:
    import onnx

#: FLOAT, FLOAT16, DOUBLE, BFLOAT16 in `onnx.TensorProto`.
FLOATS = frozenset({1, 10, 11, 16})


@dataclass(frozen=True)
class SourceLayer:
    """A node that computes; `node` is its place in the graph, `outputs` are those that can be compared."""

    node: int
    name: str
    op: str
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """A part of a network, by the tensors that go in and come out."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class CuttableOnnx:
    """An ONNX with fixed shapes that can be cut; `layers` stand in the order in which they run."""

    def __init__(self, onnx_file: Path, shapes: InputShapes | None = None) -> None:
        """Read an ONNX with its weights; raises ModelError, UsageError."""
        import onnx_ir as ir
        from onnx.utils import Extractor

        model = ir.to_proto(open_onnx(onnx_file, shapes).model)
        _load_weights(model, onnx_file)
        self._graph = model.graph
        self._extractor = Extractor(model)
        weights = {each.name for each in self._graph.initializer}
        self.inputs = tuple(each.name for each in self._graph.input if each.name not in weights)
        self.outputs = tuple(each.name for each in self._graph.output)
        self._maker = {
            name: place for place, node in enumerate(self._graph.node) for name in node.output if name
        }
        self._readers = self._last_readers()
        self.layers = self._find_layers()
        if not self.layers:
            raise ModelError(f"{onnx_file}: nothing in it computes floats", hint="is it the right ONNX?")

    def whole(self) -> Part:
        """Return the network itself."""
        return Part(self.inputs, self.outputs)

    def first(self, count: int) -> Part:
        """Return the first `count` layers: their outputs that later nodes read, and the network's."""
        if count == len(self.layers):
            return self.whole()
        place = self.layers[count - 1].node
        made = (name for layer in self.layers[:count] for name in layer.outputs)
        return self.before(
            tuple(name for name in made if name in self.outputs or self._readers.get(name, -1) > place)
        )

    def before(self, tensors: tuple[str, ...]) -> Part:
        """Return all that computes some tensors from the network's inputs."""
        inputs, _ = self._reached(tensors, self.inputs)
        return Part(tuple(sorted(inputs, key=self.inputs.index)), tensors)

    def around(self, layer: SourceLayer, depth: int) -> Part:
        """Return a layer with `depth` - 1 layers before it on every way to it."""
        outputs, borders = layer.outputs, self._floats_before([layer.node])
        for _ in range(depth - 1):
            makers = sorted({self._maker[name] for name in borders if name in self._maker})
            ends = {name for name in borders if name not in self._maker}
            borders = self._floats_before(makers) | ends
        inputs, _ = self._reached(outputs, (*borders, *self.inputs))
        return Part(tuple(sorted(inputs)), outputs)

    def count(self, part: Part) -> int:
        """Return how many layers a part has."""
        nodes = self._reached(part.outputs, part.inputs)[1]
        return sum(layer.node in nodes for layer in self.layers)

    def inputs_of(self, layer: SourceLayer) -> frozenset[str]:
        """Return the tensors of other layers, and the network's inputs, that a layer reads."""
        return frozenset(self.around(layer, 1).inputs)

    def write(self, part: Part, target: Path) -> Path:
        """Write a part as an ONNX of its own; return `target`. Raises ModelError where it cannot be cut."""
        import onnx

        try:
            cut = self._extractor.extract_model(list(part.inputs), list(part.outputs))
        except ValueError as error:
            raise ModelError(f"{', '.join(part.outputs)}: cannot be cut off: {error}") from error
        large = cut.ByteSize() > onnx.checker.MAXIMUM_PROTOBUF
        onnx.save(cut, target, save_as_external_data=large, location=f"{target.name}.data" if large else None)
        return target

    def _find_layers(self) -> tuple[SourceLayer, ...]:
        kinds, alive = self._kinds(), set(self.inputs)
        layers = []
        for place, node in enumerate(self._graph.node):
            if not alive & set(node.input):
                continue
            alive.update(name for name in node.output if name)
            floats = tuple(name for name in node.output if kinds.get(name))
            if floats:
                layers.append(SourceLayer(place, node.name or floats[0], node.op_type, floats))
        return tuple(layers)

    def _kinds(self) -> Mapping[str, bool]:
        """Return of each value with a fixed shape whether it is of floats."""
        found = {}
        for value in (*self._graph.value_info, *self._graph.output):
            tensor = value.type.tensor_type
            is_fixed = tensor.HasField("shape") and all(dim.dim_value > 0 for dim in tensor.shape.dim)
            found[value.name] = is_fixed and tensor.elem_type in FLOATS
        return found

    def _last_readers(self) -> Mapping[str, int]:
        return {name: place for place, node in enumerate(self._graph.node) for name in node.input if name}

    def _floats_before(self, nodes: Iterable[int]) -> set[str]:
        """Return what nodes read: outputs of layers, and inputs of the network."""
        made = {name for layer in self.layers for name in layer.outputs}
        found, ahead = set[str](), [name for place in nodes for name in self._graph.node[place].input]
        while ahead:
            name = ahead.pop()
            if name in made or name in self.inputs:
                found.add(name)
            elif name in self._maker:
                ahead += self._graph.node[self._maker[name]].input
        return found

    def _reached(self, outputs: Iterable[str], borders: Iterable[str]) -> tuple[set[str], set[int]]:
        """Return which of `borders` outputs are computed from, and by which nodes."""
        ends, seen, nodes, ahead = set(borders), set[str](), set[int](), list(outputs)
        while ahead:
            name = ahead.pop()
            if name in ends:
                seen.add(name)
            elif name in self._maker and self._maker[name] not in nodes:
                nodes.add(self._maker[name])
                ahead += self._graph.node[self._maker[name]].input
        return seen, nodes


def _load_weights(model: onnx.ModelProto, path: Path) -> None:
    """Read weights that lie in other files: a part is whole by itself."""
    from onnx.external_data_helper import load_external_data_for_model

    load_external_data_for_model(model, str(path.parent))
