"""The layers that the compiler makes of a graph, in its order: what it computes at once is one.

Measured on graphs of one operator (tools/corpus/synthetic.py) and on the fit half of the corpus, toolkit
2.5.0. Activations, scales and shifts by constants, and the sum or product with another map, go into the
convolution before them; norms and activations in pieces are one layer; what only renames bytes is none.
"""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir

from rkbench.onnx.convolution import Convolution, average_of, averages_whole_map, convolution_of
from rkbench.onnx.fusion import scaled
from rkbench.onnx.fusion.apart import (
    apart,
    has_third_between,
    merged_with_shuffle,
    shuffled,
    taken_apart,
    takes_everything,
)
from rkbench.onnx.fusion.enlarged import is_enlarged_on_cpu
from rkbench.onnx.fusion.flattened import flattened
from rkbench.onnx.fusion.gathered import dense_pick, is_picked
from rkbench.onnx.fusion.geometry import (
    attended_nodes,
    is_padded_far,
    is_vector,
    joins_heads,
    parts_of,
    product_of,
    steps,
    turned_image,
)
from rkbench.onnx.fusion.kinds import (
    ARITHMETIC,
    CONVOLUTIONS,
    KINDS,
    ON_CPU,
    PLAIN_ACTIVATIONS,
    RECURRENT,
    RENAMING,
    TAKERS,
)
from rkbench.onnx.fusion.layer import FusedLayer, Kind
from rkbench.onnx.fusion.merged import cuts_a_patch, merged_patches
from rkbench.onnx.fusion.patterns import Pattern, activation, layer_norm, length_norm, users
from rkbench.onnx.fusion.reduced import picked_rows, reduction, turns_of
from rkbench.onnx.fusion.turned import is_turned
from rkbench.onnx.fusion.unrolled import folds, unfolds
from rkbench.onnx.shapes import is_channel_shuffle, pooled_size, pooling_kernels
from rkbench.onnx.values import static_shape


class Fuser:
    """Goes through a graph once; `layers` is what it found."""

    def __init__(self, graph: ir.Graph, constants: set[ir.Value]) -> None:
        self.graph = graph
        self.constants = constants
        self.layers: list[FusedLayer] = []
        #: The layer that computes each node.
        self.of: dict[ir.Node, FusedLayer] = {}
        #: Convolutions whose weights went into a parallel one.
        self.merged: set[ir.Node] = set()
        self._makers: dict[ir.Value, FusedLayer] = {}

    def run(self) -> Fuser:
        """Fuse the whole graph; return it."""
        for value in self.graph.inputs:
            if (image := turned_image(value)) is not None:
                self.layers.append(FusedLayer(users(value)[0], "convolution", value, image))
        for node in self.graph:
            if node not in self.of and not self.constants.issuperset(node.outputs):
                self._step(node)
        return self

    def maker(self, value: ir.Value | None) -> FusedLayer | None:
        """Return the layer whose output a value is, if that is known and still the last one there."""
        return self._makers.get(value) if value is not None else None

    def add(self, node: ir.Node, kind: Kind, **facts: object) -> FusedLayer:
        """Append a layer for a node."""
        source = next((value for value in node.inputs if value not in self.constants), None)
        layer = FusedLayer(node, kind, source, **facts)  # type: ignore[arg-type] # the names are those of its fields
        self.layers.append(layer)
        self._take(layer, (node,), node.outputs[0])
        return layer

    def _take(self, layer: FusedLayer, nodes: tuple[ir.Node, ...], result: ir.Value) -> None:
        """Let a layer compute nodes more, and end in `result`."""
        for node in nodes:
            self.of[node] = layer
            layer.nodes.append(node)
            for value in node.outputs:
                self._makers[value] = layer
        self._makers[result] = layer

    def _step(self, node: ir.Node) -> None:
        norm = layer_norm(node, self.constants)
        vectors = length_norm(node)
        if (found := norm or vectors) is not None:
            self._take(self.add(node, "norm" if norm else "length"), found.nodes[1:], found.result)
            return
        if (pattern := activation(node)) is not None:
            self._activate(node, pattern)
        else:
            self._rule(node)(node)

    def _rule(self, node: ir.Node) -> Callable[[ir.Node], object]:
        if node.op_type in CONVOLUTIONS:
            return self._convolution
        if node.op_type in PLAIN_ACTIVATIONS:
            return self._plain
        if node.op_type == "BatchNormalization":
            return self._scale
        if node.op_type in ARITHMETIC:
            return self._arithmetic
        if reduction(node) is not None:
            return self._reduce
        pools = node.op_type in ("GlobalAveragePool", "ReduceMean", "GlobalMaxPool", "ReduceMax")
        if pools or averages_whole_map(node):
            return self._pool
        return self._other

    def _activate(self, node: ir.Node, pattern: Pattern) -> None:
        """Fuse an activation by table into the convolution before it; else it is a layer."""
        before = self.maker(pattern.source)
        inside = set(users(pattern.source)) <= set(pattern.nodes)
        if before is None or not inside or before.kind != "convolution" or before.activated or before.joins:
            before = self.add(node, "table")
        before.table, before.activated = pattern.name, True
        self._take(before, pattern.nodes, pattern.result)

    def _convolution(self, node: ir.Node) -> None:
        weight = node.inputs[1] if len(node.inputs) > 1 else None
        geometry = product_of(node) if node.op_type in ("Gemm", "MatMul") else convolution_of(node)
        is_stored = weight in self.constants  # a map may be a kernel, which is stored nowhere then
        if geometry is None or not (is_stored or node.op_type in ("Conv", "ConvTranspose")):
            self._attend(node)
            return
        plain = is_stored and node.op_type == "Conv" and geometry.groups == 1
        self._convolve(node, node.inputs[0] if plain else None, geometry)

    def _convolve(self, node: ir.Node, source: ir.Value | None, geometry: Convolution) -> None:
        """Add a convolution; one of each part, and sums, where the Concat before it is taken apart."""
        channels = taken_apart(source, geometry.output_channels, geometry.kernel_area, self.constants)
        pieces = apart(geometry, channels)
        if is_padded_far(node):
            self.layers.append(FusedLayer(node, "pad"))
        joined = self.maker(source)
        if not pieces or joined is None or joined.kind != "concat":
            self.add(node, "convolution", convolution=geometry)
            return
        self.layers.remove(joined)
        self.layers += [FusedLayer(node, "convolution", source, piece) for piece in pieces[:-1]]
        self.add(node, "convolution", convolution=pieces[-1], pieces=pieces, joins=True)

    def _attend(self, node: ir.Node) -> None:
        """A product of two maps; softmax(product) times a third map is one layer."""
        layer, attended = self.add(node, "attention"), attended_nodes(node)
        if attended:
            layer.parts = 2
            self._take(layer, attended, attended[-1].outputs[0])

    def _plain(self, node: ir.Node) -> None:
        before = self.maker(node.inputs[0])
        takers = ("convolution",) if node.op_type == "PRelu" else TAKERS
        fits = before is not None and before.kind in takers and not before.table
        summed = before is not None and before.joins and node.op_type != "Relu"
        if before is None or not fits or summed or before.activated or len(users(node.inputs[0])) > 1:
            before = self.add(node, "map", vectors=int(node.op_type == "PRelu"))
        before.activated = True
        self._take(before, (node,), node.outputs[0])

    def _scale(self, node: ir.Node) -> None:
        """A scale and shift by constants goes into the convolution before it, or the one behind it."""
        source = node.inputs[0] if node.inputs[0] not in self.constants else node.inputs[1]
        before = self.maker(source)
        if before is not None and len(users(source)) == 1 and scaled.takes_a_scale(before):
            self._take(before, (node,), node.outputs[0])
        elif scaled.folds_forward(node, self.constants):
            self.add(node, "free")
        else:
            self.add(node, scaled.kind_of_scale(node), vectors=1)

    def _arithmetic(self, node: ir.Node) -> None:
        constant = [value for value in node.inputs if value in self.constants]
        if constant and len(node.inputs) == 2:
            if scaled.does_nothing(node, constant[0]):
                self._rename(node)
            elif is_vector(constant[0]) and node.op_type in ("Mul", "Add", "Sub", "Div"):
                self._scale(node)
            else:
                self.add(node, "map" if node.op_type in ("Add", "Mul") else "narrow", vectors=1)
            return
        shapes = {static_shape(value) for value in node.inputs}
        squares = node.op_type == "Mul" and len(set(node.inputs)) == 1
        if len(shapes) > 1 or squares or node.op_type not in ("Add", "Mul", "Sum"):
            self.add(node, "map" if node.op_type == "Add" else "narrow")
            return
        self._join(node)

    def _join(self, node: ir.Node) -> None:
        """The sum or product of two maps goes into the later of the convolutions that make them, if
        one can."""
        if node.op_type == "Add" and self._merge(node):
            return
        for layer in reversed(self.layers):
            made = [value for value in node.inputs if self.maker(value) is layer]
            if not made or layer.kind != "convolution" or len(users(made[0])) > 1:
                continue
            if layer.joins or layer.table or layer.is_depthwise:
                continue
            layer.joins = True
            self._take(layer, (node,), node.outputs[0])
            return
        self.add(node, "map")

    def _merge(self, node: ir.Node) -> bool:
        """Linear convolutions (and a scale) of the same map whose outputs are added are one convolution."""
        layers = [self.maker(value) for value in node.inputs]
        one, two = layers if len(layers) == 2 else (None, None)
        if one is None or two is None or one is two or not (one.is_linear and two.is_linear):
            return False
        if one.source is not two.source or any(len(users(value)) > 1 for value in node.inputs):
            return False
        kept, dropped = sorted((one, two), key=FusedLayer.kernel_area, reverse=True)
        if not kept.takes_in(dropped) or has_third_between(node, self.layers, one, two):
            return False
        self.layers.remove(dropped)
        self.merged.update(dropped.nodes)
        self._take(kept, (*dropped.nodes, node), node.outputs[0])
        return True

    def _pool(self, node: ir.Node) -> None:
        size, shape = pooled_size(node), static_shape(node.inputs[0])
        if size is None or shape is None:
            self.add(node, "narrow")
            return
        if node.op_type in ("GlobalMaxPool", "ReduceMax"):
            self.add(node, "pool", parts=len(pooling_kernels(size)))
            return
        found = steps(size, shape[1])
        for step in found[:1]:
            self.add(node, "convolution", convolution=step)
        self.layers += [FusedLayer(node, "convolution", convolution=step) for step in found[1:]]

    def _reduce(self, node: ir.Node) -> None:
        """A sum or mean over one axis is a convolution, of a turned map where it is not over channels."""
        before, behind = turns_of(node)
        self.layers += [FusedLayer(node, kind) for kind in before]
        self.add(node, "convolution", convolution=reduction(node))
        self.layers += [FusedLayer(node, kind) for kind in behind]

    def _other(self, node: ir.Node) -> None:
        made = dense_pick(node, self.constants) or merged_patches(node) or average_of(node)
        if made is not None:
            self.add(node, "convolution", convolution=made)
        elif (rows := picked_rows(node, self.constants)) > 0:
            self.add(node, "rows", parts=rows)
        elif node.op_type in RECURRENT:
            self.add(node, "recurrent", parts=(static_shape(node.inputs[0]) or (1,))[0])
        elif (order := flattened(node, self.constants)) is not None:
            self.add(node, "order", convolution=order)
        elif node.op_type in RENAMING or takes_everything(node) or cuts_a_patch(node):
            self._rename(node)
        elif node.op_type in ON_CPU or is_enlarged_on_cpu(node):
            self.add(node, "picked" if is_picked(node, self.constants) else "cpu")
        else:
            self.add(node, KINDS.get(node.op_type, "narrow"), parts=parts_of(node))

    def _rename(self, node: ir.Node) -> None:
        """A new shape is no layer of its own: what follows may still be fused into what was before."""
        shape = static_shape(node.outputs[0])
        if node.op_type == "Reshape" and shape is not None and is_channel_shuffle(node):
            size = shape[2:]
            mixes = Convolution(shape[1], shape[1], input_size=size, output_size=size, has_bias=False)
            merged = merged_with_shuffle(node)
            if merged is not None:
                self.merged.add(merged)
            if merged is node:
                self.add(node, "free")
            else:
                self._convolve(node, shuffled(node), mixes)
            return
        before = self.maker(node.inputs[0]) if node.inputs else None
        attended = before is not None and before.kind == "attention" and before.parts > 1
        if node.op_type == "Transpose" and (is_turned(node) or (attended and joins_heads(node))):
            self.add(node, "turn")
            return
        if unfolds(node) or folds(node):
            self.add(node, "unfold" if unfolds(node) else "fold")
            return
        if before is not None and len(users(node.inputs[0])) == 1:
            self._take(before, (node,), node.outputs[0])
        else:
            self.add(node, "free")
