"""Register commands, tasks and structure that the compiler writes for each layer, in bytes.

All numbers were read from files of toolkit 2.5.0: rk3588 and rk3568 from the fit half of the corpus and the
graphs of one operator; the rk3576 is counted by the same rules with its two cores. A layer has one list of
tasks for one core and, where it can be cut, one for each core of two and of three. A list that the next layer
does not go on with ends in a task that waits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import zip_longest

from rkbench.onnx import convolution as conv
from rkbench.onnx.convolution import Convolution
from rkbench.onnx.fusion.added import joining_kernel
from rkbench.onnx.fusion.batch import batch_of, batches
from rkbench.onnx.fusion.flattened import is_dense
from rkbench.onnx.fusion.layer import FusedLayer
from rkbench.onnx.fusion.one_core import STAGE_BYTES, one_core
from rkbench.onnx.fusion.recurrent import recurrent_tasks
from rkbench.onnx.fusion.reduced import stays_in_a_row
from rkbench.onnx.fusion.spread import COLUMN_BYTES, COLUMNS_START_BYTES, PAD_BYTES, FarTaps, spread_of
from rkbench.onnx.fusion.taken import Effort
from rkbench.onnx.fusion.tasks import input_parts, row_tasks, shared_tasks
from rkbench.onnx.fusion.unrolled import (
    MOVE_BYTES,
    PADDING_BYTES,
    Chain,
    Pieces,
    chain_of,
    moved_tasks,
    pieces_of,
    repeated,
)
from rkbench.rknn import targets
from rkbench.rknn.targets import Dtype

WAIT_BYTES = 256
CONVOLUTION_BYTES = {1: 1152, 2: 1088, 3: 1088}
"""Commands of one convolution task by number of cores, in the list of one core."""
SHARED_BYTES = 1024
"""The same in a list of several cores."""
BIAS_BYTES = {1: 0, 2: 192, 3: 192}
"""Less where a convolution has no bias."""
NEXT_BYTES = 256
"""Commands of a task that goes on with the registers of the one before."""
NEXT_STAGE_BYTES = 128
"""The same of the output stage."""
SHORT_TABLES = frozenset({"sigmoid", "tanh", "hard sigmoid"})
"""Activations that need no task of their own after the convolution in fp16."""
TABLE_BYTES = 8832
"""Commands that upload a lookup table."""
FILE_TENSORS = 4
"""Of every file: input, output, the buffers of commands and tasks."""
FILE_BYTES = {1: 2000, 2: 4400, 3: 2000}
HEADER_BYTES = 1100
"""Header and JSON."""


COPIED = Effort(2 * STAGE_BYTES, 2, 2)
"""Of a map that is turned and made a vector by copies."""
CONVOLVED = ("convolution", "order")


def efforts(
    layers: list[FusedLayer], target: str, dtype: Dtype, toolkit_version: str | None = None
) -> list[Effort]:
    """Return the effort of each layer, in their order."""
    known = targets.TARGETS.get(target)
    chip = _Chip(target, dtype, known.npu_cores if known else 1, toolkit_version)
    real = [layer for layer in layers if layer.kind != "free"]
    found = {}
    for layer, after in zip_longest(real, real[1:]):
        goes_on = 0 if after is None else min(chip.shares(after), chip.shares(layer))
        found[id(layer)] = chip.effort(layer, goes_on=goes_on)
    return [found.get(id(layer), _renamed(layer)) for layer in layers]


def _renamed(layer: FusedLayer) -> Effort:
    """A new shape that stays a layer: what it makes, and the constant that says the shape."""
    stays = layer.node.op_type in ("Reshape", "Transpose") and layer.parts == 1
    return Effort(0, 0, 2 * stays)


@dataclass(frozen=True)
class _Chip:
    target: str
    dtype: Dtype
    cores: int
    toolkit_version: str | None

    def shares(self, layer: FusedLayer) -> int:
        """Return how many cores a convolution is cut for; 1 for all other layers, which begin anew."""
        geometry = layer.convolution
        if geometry is None or layer.table or geometry.transposed or layer.kind not in CONVOLVED:
            return 1
        if layer.kind == "order" and not is_dense(geometry, self.target, self.dtype):
            return 1
        if conv.fate(geometry, self.target, self.dtype, self.toolkit_version) == conv.KEPT:
            return 1
        if stays_in_a_row(layer.node, self._block // 2):
            return 1
        rows = (1, *(geometry.output_size or (1, 1)))[-2]
        depthwise = geometry.groups > 1 and geometry.groups == geometry.output_channels
        if depthwise:
            overlaps = (1, *geometry.strides)[-2] == 1 and (1, *geometry.kernel)[-2] > rows
            return 1 if overlaps else min(rows, self.cores)
        blocks = self.cores if rows >= 3 else math.ceil(geometry.output_channels / self._block)
        return min(self.cores, blocks)

    @property
    def _block(self) -> int:
        return 16 if self.dtype == "fp16" else 32

    def effort(self, layer: FusedLayer, *, goes_on: int) -> Effort:
        """Return what a layer takes; the next one continues its lists of up to `goes_on` cores."""
        if layer.kind == "convolution" and layer.convolution is not None:
            return self._convolution(layer, layer.convolution, goes_on=goes_on)
        if layer.kind == "order" and layer.convolution is not None:
            dense = is_dense(layer.convolution, self.target, self.dtype)
            return self._convolution(layer, layer.convolution, goes_on=goes_on) if dense else COPIED
        if layer.kind == "cpu":
            return repeated(layer.node, self.dtype, is_multicore=self.cores > 1)
        if layer.kind == "map":
            return self._map(batch_of(layer), 1 + layer.vectors, is_cut=layer.node.op_type != "Mul")
        if layer.kind == "concat":
            layout = targets.weight_layout(self.target, self.dtype)
            joint = None if layout is None else joining_kernel(layer.node, layout)
            return self._concat(layer.parts * batches(layer.node), joint)
        if layer.kind == "recurrent":
            size, tasks = recurrent_tasks(layer, self.cores, self.dtype)
            return Effort(size, tasks * self.cores, 8)
        if layer.kind in ("unfold", "fold"):
            tasks = moved_tasks(layer, int8=self.dtype == "int8") if self.cores > 1 else 0
            return Effort(tasks * MOVE_BYTES, tasks * self.cores, 6, tasks)
        tasks, each, tensors = one_core(layer, self.target, self.cores, self.dtype)
        upload = bool(layer.table)
        return Effort(tasks * each + upload * TABLE_BYTES, (tasks + upload) * self.cores, tensors)

    def _map(self, batch: int, tensors: int, *, is_cut: bool = True) -> Effort:
        """Arithmetic over whole maps: a task each. Sums are cut for several cores, products never are."""
        alone = min(batch, 2) * STAGE_BYTES + max(batch - 2, 0) * NEXT_STAGE_BYTES
        if not is_cut:
            return Effort(alone, batch * self.cores, tensors)
        return self._cut(alone, batch * STAGE_BYTES, batch, tensors)

    def _concat(self, parts: int, joint: Convolution | None) -> Effort:
        """Copies of all parts; where they are no whole blocks, a 1x1 after them."""
        copied = self._cut(2 * STAGE_BYTES + 128 * (parts - 2), parts * STAGE_BYTES, parts, 1)
        if joint is None:
            return copied
        count = row_tasks(joint, conv.ORDINARY, self.cores, self.dtype)
        shares = [cores * shared_tasks(count, joint, cores, self.dtype) for cores in range(2, self.cores + 1)]
        bytes_ = STAGE_BYTES - 64 + (count - 1) * NEXT_BYTES + sum(shares) * (SHARED_BYTES - 128)
        return copied.beside(Effort(bytes_, count + sum(shares), 1))

    def _cut(self, alone: int, shared: int, tasks: int, tensors: int) -> Effort:
        """Return the effort of a layer that every core does its part of, and then waits."""
        if self.cores == 1:
            return Effort(alone, tasks, tensors)
        lists = self.cores * (self.cores + 1) // 2 - 1
        return Effort(alone + lists * (shared + WAIT_BYTES), tasks + lists * (tasks + 1), tensors)

    def _convolution(self, layer: FusedLayer, geometry: Convolution, *, goes_on: int) -> Effort:
        pieces, spread, chain = pieces_of(geometry), spread_of(layer.node), chain_of(geometry)
        if pieces is not None:
            return self._pieces(layer, pieces)
        if chain is not None:
            return self._chain(layer, chain, goes_on=goes_on)
        if spread is not None and geometry.kernel != spread.convolution.kernel:
            return self._spread(layer, spread)
        becomes = conv.fate(geometry, self.target, self.dtype, self.toolkit_version)
        parts = input_parts(geometry, becomes, self.cores, self.dtype)
        if parts > 1:
            return self._parts(layer, geometry, parts, goes_on=goes_on)
        count = row_tasks(geometry, becomes, self.cores, self.dtype)
        has_bias = geometry.has_bias or self.dtype == "int8"
        first = CONVOLUTION_BYTES[self.cores] - (not has_bias) * BIAS_BYTES[self.cores]
        tensors = 2 + has_bias + layer.vectors
        if becomes == conv.KEPT:
            return self._branches(layer, geometry, first, 2 + has_bias)
        if layer.table:
            more = int(self.dtype == "fp16" and layer.table not in SHORT_TABLES) + (self.cores == 1)
            bytes_ = TABLE_BYTES + count * first + more * STAGE_BYTES
            return Effort(bytes_, (count + 1 + more) * self.cores, tensors)
        alone = min(count, 2) * first + max(count - 2, 0) * NEXT_BYTES
        shares = self.shares(layer)
        if shares == 1:
            return Effort(alone, count * self.cores, tensors)
        total, tasks = alone, count
        for cores in range(2, shares + 1):
            each = shared_tasks(count, geometry, cores, self.dtype)
            total += cores * (each * (SHARED_BYTES - (not has_bias) * 128) + (cores > goes_on) * WAIT_BYTES)
            tasks += cores * (each + (cores > goes_on))
        return Effort(total, tasks, tensors)

    def _parts(self, layer: FusedLayer, geometry: Convolution, parts: int, *, goes_on: int) -> Effort:
        """A Split, and a convolution of each part that adds the sum so far; the first has no bias."""
        each = replace(geometry, groups=1, input_channels=math.ceil(geometry.input_channels / parts))
        inner = self._convolution(replace(layer, convolution=each, table=""), each, goes_on=self.cores)
        last = self._convolution(replace(layer, convolution=each), each, goes_on=goes_on)
        split = _split(parts, self.cores)
        bare = BIAS_BYTES[self.cores] + (self.cores * (self.cores + 1) // 2 - 1) * 128
        return Effort(
            split.register_bytes + (parts - 1) * inner.register_bytes + last.register_bytes - bare,
            split.tasks + (parts - 1) * inner.tasks + last.tasks,
            split.tensors + (parts - 1) * inner.tensors + last.tensors,
        )

    def _pieces(self, layer: FusedLayer, pieces: Pieces) -> Effort:
        """A Slice, a short convolution, its thinning and an Add for each piece of a long kernel."""
        batch, count = pieces.first.batch, pieces.count
        inner = replace(layer, convolution=pieces.first, table="")
        short = self._convolution(inner, pieces.first, goes_on=0)
        add = self._map(batch, 1)
        picks = pieces.selects + 1  # the Slice is as large as a thinning
        pick_bytes = min(batch, 2) * 900 + max(batch - 2, 0) * NEXT_STAGE_BYTES
        return Effort(
            count * (short.register_bytes + add.register_bytes + picks * pick_bytes),
            count * (short.tasks + add.tasks + picks * batch * self.cores),
            count * (short.tensors + add.tensors + 2 * picks),
        )

    def _chain(self, layer: FusedLayer, chain: Chain, *, goes_on: int) -> Effort:
        """A Slice and a short convolution for each piece of a long kernel, which adds the sum so far."""
        inner, last = (
            replace(layer, convolution=chain.piece, table=""),
            replace(layer, convolution=chain.piece),
        )
        shared = self._convolution(inner, chain.piece, goes_on=self.cores)
        found = self._convolution(last, chain.piece, goes_on=goes_on)
        if chain.is_padded:
            found = found.beside(Effort(PADDING_BYTES, 3 * self.cores, 2))
        for _ in range(chain.count - 1):
            found = found.beside(shared).beside(Effort(STAGE_BYTES, self.cores, 2))
        return found.beside(Effort(STAGE_BYTES, self.cores, 2))

    def _spread(self, layer: FusedLayer, spread: FarTaps) -> Effort:
        """A Pad and a Gather, a task for each column, before a convolution that one core computes."""
        inner = replace(layer, convolution=spread.convolution)
        read = self._convolution(inner, spread.convolution, goes_on=self.cores)
        fetched = spread.columns * COLUMN_BYTES + COLUMNS_START_BYTES
        copies = spread.columns if self.cores > 1 else spread.columns // 2
        columns = Effort(fetched, spread.columns * self.cores, 4, copies)
        return columns.beside(Effort(PAD_BYTES, 2 * self.cores, 2)).beside(read)

    def _branches(self, layer: FusedLayer, geometry: Convolution, first: int, tensors: int) -> Effort:
        """One convolution a group, between a Split and a Concat of the groups.

        An activation that a sum would take, and a sum, are layers behind the Concat.
        """
        groups = geometry.groups
        split = _split(groups, self.cores)
        joined = self._concat(groups, self._joint_of_groups(geometry))
        if layer.joins or layer.activated:
            joined = joined.beside(self._map(geometry.batch, 1))
        lists = self.cores * (self.cores + 1) // 2
        each = first + (lists - 1) * SHARED_BYTES
        return Effort(
            split.register_bytes + joined.register_bytes + groups * each,
            split.tasks + joined.tasks + groups * lists,
            split.tensors + joined.tensors + groups * tensors,
        )

    def _joint_of_groups(self, geometry: Convolution) -> Convolution | None:
        layout, each = (
            targets.weight_layout(self.target, self.dtype),
            geometry.output_channels // geometry.groups,
        )
        if layout is None or each % layout.minimum_input == 0:
            return None
        read, size = -(-each // layout.minimum_input) * layout.minimum_input, geometry.output_size
        outputs = geometry.output_channels
        return Convolution(outputs, read * geometry.groups, input_size=size, output_size=size, has_bias=False)


def _split(parts: int, cores: int) -> Effort:
    return Effort(2 * STAGE_BYTES + (parts - 2) * 128, parts * cores, parts)
