"""An ONNX by the names of its values: what makes each, what reads it, and pieces to run alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import onnx
from onnx import helper


@dataclass(frozen=True)
class NamedGraph:
    """A model as protobuf has it; nothing in it is changed."""

    model: Any

    @classmethod
    def load(cls, path: Path) -> NamedGraph:
        """Read a model, weights in other files included."""
        return cls(onnx.load(path))

    @property
    def size_bytes(self) -> int:
        """Of the file that it would be, its weights inside."""
        return int(self.model.ByteSize())

    @cached_property
    def nodes(self) -> list[Any]:
        """Every node of the main graph."""
        return list(self.model.graph.node)

    @cached_property
    def makers(self) -> dict[str, Any]:
        """The node that makes a value, by the value's name."""
        return {name: node for node in self.nodes for name in node.output if name}

    @cached_property
    def constants(self) -> dict[str, Any]:
        """The stored constants by name."""
        return {tensor.name: tensor for tensor in self.model.graph.initializer}

    @property
    def outputs(self) -> list[str]:
        """The names of what the network returns."""
        return [value.name for value in self.model.graph.output]

    def is_same(self, node: Any, other: NamedGraph) -> bool:
        """Return whether `other` makes the values of a node by the same operator from the same inputs."""
        twin = other.makers.get(node.output[0])
        if twin is None or self._operators != other._operators or _text(twin) != _text(node):
            return False
        return all(self._constant(name) == other._constant(name) for name in reads(node))

    @cached_property
    def _operators(self) -> dict[str, int]:
        return {each.domain: each.version for each in self.model.opset_import}

    def _constant(self, name: str) -> bytes | None:
        tensor = self.constants.get(name)
        return None if tensor is None else bytes(tensor.SerializeToString(deterministic=True))

    def with_outputs(self, names: Iterable[str]) -> bytes:
        """Return the model with more outputs."""
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        added = (name for name in names if name not in self.outputs)
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in added)
        return bytes(model.SerializeToString())

    def piece(
        self, nodes: Sequence[Any], fed: Mapping[str, Any], found: Sequence[str], made_suffix: str
    ) -> bytes:
        """Return a model of some nodes, which is fed the values `fed` (their types by name) and returns
        those that it makes of the names `found`, called so with the suffix behind."""
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        del model.graph.node[:], model.graph.input[:], model.graph.output[:], model.graph.value_info[:]
        for node in nodes:
            copy = model.graph.node.add()
            copy.CopyFrom(node)
            copy.output[:] = [name + made_suffix if name in found else name for name in node.output]
        model.graph.input.extend(fed.values())
        model.graph.output.extend(onnx.ValueInfoProto(name=name + made_suffix) for name in found)
        return bytes(model.SerializeToString())


def described(name: str, array: Any) -> Any:
    """Return the declaration of an input that an array is fed to."""
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)


def reads(node: Any) -> set[str]:
    """Return the values that a node reads, those of its subgraphs among them."""
    found = {name for name in node.input if name}
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            own = {name for inner in graph.node for name in inner.output}
            own |= {each.name for each in (*graph.input, *graph.initializer)}
            inside = {name for inner in graph.node for name in reads(inner)}
            found |= (inside | {value.name for value in graph.output}) - own
    return found


def _text(node: Any) -> tuple[Any, ...]:
    attributes = sorted(each.SerializeToString(deterministic=True) for each in node.attribute)
    return node.op_type, node.domain, list(node.input), list(node.output), attributes
