"""What a rewrite proposes, and what all rewrites need to know and do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from rkbench.language.said import Said
from rkbench.onnx import commands
from rkbench.onnx import convolution as conv
from rkbench.onnx.convolution import Convolution
from rkbench.onnx.foreseen import name_of
from rkbench.onnx.values import data_of
from rkbench.rknn import targets
from rkbench.rknn.targets import Dtype


@dataclass(frozen=True)
class RewriteContext:
    """The graph that may change and what it is changed for."""

    graph: ir.Graph
    target: str
    dtype: Dtype
    toolkit_version: str | None
    opset: int = 13
    """Of the operators in the default domain."""
    has_fixed_sizes: bool = True
    """Whether all sizes of the inputs are numbers, the batch apart: rewrites may rely on them."""
    numbers: Mapping[ir.Value, np.ndarray] = field(default_factory=dict)
    """Short values that follow from constants and from sizes; none where a size, or the batch, is open."""

    def number(self, value: ir.Value | None) -> int | None:
        """Return the one whole number that a value holds, stored or computed; None for all else."""
        stored = constant_array(value)
        array = stored if stored is not None else self.numbers.get(value) if value is not None else None
        return int(array.ravel()[0]) if array is not None and array.size == 1 else None

    @property
    def cores(self) -> int:
        """NPU cores of the target; 1 where the target is not known."""
        known = targets.TARGETS.get(self.target)
        return known.npu_cores if known else 1

    def predicted_bytes(self, convolution: Convolution) -> int:
        """Return constants and estimated commands of one convolution, in bytes."""
        asked = (self.target, self.dtype, self.toolkit_version)
        return conv.constant_bytes(convolution, *asked) + commands.convolution_bytes(convolution, *asked)


@dataclass(frozen=True)
class Proposal:
    """A change to one node. Sizes are predicted, in bytes; None where a measured rule says that it pays."""

    node: str
    rewrite: str
    description: Said
    before_bytes: int | None
    after_bytes: int | None
    apply: Callable[[], None]


def measured(node: ir.Node, rewrite: str, description: Said, apply: Callable[[], None]) -> Proposal:
    """Return a proposal without sizes: the rule that made it was measured to pay."""
    return Proposal(name_of(node), rewrite, description, None, None, apply)


def estimated(
    node: ir.Node, rewrite: str, description: Said, before: int, after: int, apply: Callable[[], None]
) -> Proposal:
    """Return a proposal whose sizes `before` and `after` are predicted, in bytes."""
    return Proposal(name_of(node), rewrite, description, before, after, apply)


Propose = Callable[[ir.Node, RewriteContext], Proposal | None]


@dataclass(frozen=True)
class Rewrite:
    """One kind of change: its name, what it does in a sentence, and what it was measured to gain."""

    name: str
    summary: str
    gain: str
    """Bytes before and after, with network, target and dtype; rknn-toolkit2 2.5.0 unless another is named."""
    propose: Propose
    lifts_refusal: bool = False
    """Whether the converter refuses the file without it: there is no size before."""


def is_stored(value: ir.Value | None) -> bool:
    """Return whether a value is a stored constant; its data is not read."""
    return value is not None and ir.convenience.get_const_tensor(value) is not None


def constant_array(value: ir.Value | None) -> np.ndarray | None:
    """Return the data of a stored constant; None for a value that nodes compute, or whose file is missing."""
    return data_of(ir.convenience.get_const_tensor(value)) if value is not None else None


def replace_constant(node: ir.Node, index: int, array: np.ndarray, graph: ir.Graph) -> None:
    """Give one input of a node new constant data; others that share the old constant keep it.

    The constant's name is kept where this node was its only user, else the new one gets a name of its own.
    """
    old = node.inputs[index]
    assert old is not None
    is_own = old.is_initializer() and len(old.uses()) == 1
    if is_own and not old.is_graph_input() and not old.is_graph_output():
        old.const_value, old.shape = (
            ir.tensor(np.asarray(array, order="C"), name=old.name),
            ir.Shape(array.shape),
        )
        return
    name = free_name(graph, f"{old.name}_for_{node.name or node.outputs[0].name}")
    new = new_constant(name, array)
    graph.register_initializer(new)
    node.replace_input_with(index, new)
    producer = old.producer()
    if producer is not None and not old.uses() and not old.is_graph_output():
        graph.remove(producer, safe=True)


def new_constant(name: str, array: np.ndarray) -> ir.Value:
    """Return an initializer to be; the caller registers it."""
    tensor = ir.tensor(np.asarray(array, order="C"), name=name)
    return ir.Value(
        name=name, type=ir.TensorType(tensor.dtype), shape=ir.Shape(array.shape), const_value=tensor
    )


def free_name(graph: ir.Graph, wanted: str) -> str:
    """Return `wanted`, with a number behind it if a value or node of the graph is called so.

    Nor is one in the body of an If or a Loop: it sees the names around it, and may not have one of them.
    """
    taken = set[str | None]()
    for each in (graph, *graph.subgraphs()):
        taken |= {value.name for node in each for value in node.outputs} | set(each.initializers)
        taken |= {value.name for value in each.inputs} | {node.name for node in each}
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    return name
