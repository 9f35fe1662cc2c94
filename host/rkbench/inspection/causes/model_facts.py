"""The file as the rules see it: layers with their tensors, and what of the structure each one takes."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import prod

from rkbench.inspection.causes.averages import is_average
from rkbench.inspection.causes.depth_rows import DepthRows, find_depth_rows
from rkbench.inspection.causes.kernel_groups import (
    ELEMENT_BYTES,
    Groups,
    copies_channels,
    copies_in_order,
    find_groups,
    moves_channels,
)
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.site import STRUCTURE_BASE, STRUCTURE_TENSOR, Site, structure_weight
from rkbench.rknn.contents import Tensor
from rkbench.rknn.model import RknnModel
from rkbench.rknn.placement import is_int16, is_quantized
from rkbench.rknn.targets import Dtype, Precision
from rkbench.rknn.tiles import GENERATIONS, Tile, Tiles

CONSTANT_SECTIONS = ("weights", "cpu_constants", "compiler_constants")
COMMAND_SECTIONS = ("register_commands", "tasks", "structure", "kind7")
SECTION_OF = {
    "weight": "weights",
    "cpu_constant": "cpu_constants",
    "lookup_table": "lookup_tables",
    "compiler_constant": "compiler_constants",
}

IMAGE_CHANNELS = 4
MEAN_AND_STD_BYTES = 12
_MEANS = re.compile(r"'mean': \[([^\]]*,[^\]]*)\]")
STACKS = ("Concat", "Mul")  # what joins maps, and what weighs each of them
_KEPT_GROUP = re.compile(r"_group_\d+$")


@dataclass(frozen=True)
class DenseGroups:
    """A grouped convolution of the source model whose kernel is stored dense, in one part or several."""

    name: str
    """Its name in the source model: `Conv_19`."""
    parts: tuple[Site, ...]
    """The layers that hold the kernel, by input channel."""
    kernels: tuple[Tensor, ...]
    groups: Groups
    stored_bytes: int
    needed_bytes: int
    """Bytes of the weights that are no filler: outputs x channels per group x kernel x element."""


@dataclass(frozen=True)
class ModelFacts:
    """A model with its sites; `sites[i].index == i`."""

    model: RknnModel
    sites: tuple[Site, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes of the file."""
        return self.model.file.size_bytes

    @cached_property
    def owned(self) -> tuple[tuple[Site, Tensor], ...]:
        """Every constant with the site that owns its bytes, also those that no node reads."""
        tensors = self.model.tensors
        return tuple((site, tensors[index]) for site in self.sites for index in site.layer.constants)

    @cached_property
    def dtype(self) -> Dtype:
        """`int8` if any kernel or map is quantized, else `fp16`."""
        return "int8" if is_quantized(self.model.contents) else "fp16"

    @cached_property
    def precision(self) -> Precision:
        """What the file is called: its dtype, `int16` where its integers have 16 bits, or `w4a16` where
        weights of 4 bits meet float maps."""
        if is_int16(self.model.contents):
            return "int16"
        four = any(site.kernel and site.kernel.dtype == "INT4" for site in self.sites)
        return "w4a16" if four and self.dtype == "fp16" else self.dtype

    @cached_property
    def averages(self) -> tuple[Site, ...]:
        """Convolutions that the compiler made from a pooling or a mean: every weight is the same."""
        stacks = {site.index for stack in self.stacked for site in stack}
        found = (site for site in self.sites if site.index not in stacks)
        return tuple(site for site in found if is_average(self.model, site))

    @cached_property
    def stacked(self) -> tuple[tuple[Site, ...], ...]:
        """Sums over stacked maps, each with its layers: stack or what weighs it, Reshape, sum, Reshape."""
        return tuple(layers for site in self.sites if (layers := self._stack(site)))

    def _stack(self, site: Site) -> tuple[Site, ...]:
        kernel, read = site.kernel, site.layer.input_shapes[:1]
        if kernel is None or not site.is_convolution or kernel.shape[0] != 1 or kernel.shape[2:] != (1, 1):
            return ()
        rows = [before for before in self.before(site) if before.node.type == "Reshape"]
        stacks = [before for row in rows for before in self.before(row) if before.node.type in STACKS]
        if len(stacks) != 1 or read != ((1, kernel.shape[1], 1, prod(stacks[0].output_shape[1:])),):
            return ()
        if stacks[0].output_shape[:1] != (kernel.shape[1],) or len(stacks[0].layer.input_shapes) < 2:
            return ()
        back = (after for after in self.after(site) if after.node.type == "Reshape")
        return (stacks[0], *rows, site, *back)

    @cached_property
    def dense_groups(self) -> tuple[DenseGroups, ...]:
        """Convolutions that were grouped in the source model and are stored dense, in execution order."""
        laid = (site for parts, _ in self.along_channels for site in parts)
        moving = {site.index for site in (*self.realigning, *self.moving, *laid)}
        candidates = [site for site in self.sites if site.index not in moving]
        found = (_dense_groups(self.model, parts) for parts in _by_source(candidates))
        return tuple(dense for dense in found if dense)

    @cached_property
    def along_channels(self) -> tuple[tuple[tuple[Site, ...], DepthRows], ...]:
        """Convolutions along an axis that lies among the channels, with the layers that hold the kernel."""
        kernels = (
            (parts, [part.kernel for part in parts if part.kernel]) for parts in _by_source(self.sites)
        )
        found = (
            (tuple(parts), find_depth_rows(self.model, kernel, parts[0].base)) for parts, kernel in kernels
        )
        return tuple((parts, rows) for parts, rows in found if rows)

    @cached_property
    def realigning(self) -> tuple[Site, ...]:
        """Convolutions that only move the channels of a Concat apart, or the Concat that holds one.

        The compiler makes them where a part of the Concat does not fill whole blocks of channels.
        """
        return tuple(
            site
            for site in self.sites
            if site.kernel and self._touches_concat(site) and copies_in_order(self.model, site.kernel)
        )

    @cached_property
    def permuting(self) -> tuple[Site, ...]:
        """Those of `moving` that order what a Reshape made, or make a vector of a map: no channels."""
        return tuple(site for site in self.moving if self._reads_view(site) or site.flattens)

    @cached_property
    def shuffling(self) -> tuple[Site, ...]:
        """Those of `moving` that order the channels of a map."""
        others = {site.index for site in (*self.permuting, *self.copying)}
        return tuple(site for site in self.moving if site.index not in others)

    @cached_property
    def copying(self) -> tuple[Site, ...]:
        """Those of `moving` that repeat channels, put zeros beside them or unfold a map: no shuffles."""
        views = {site.index for site in self.permuting}
        return tuple(
            site
            for site in self.moving
            if site.index not in views
            if self.is_unfold(site) or (site.kernel and copies_channels(self.model, site.kernel))
        )

    def is_unfold(self, site: Site) -> bool:
        """Return whether a layer reads a Concat of nothing but pieces of one map."""
        stacks = [other for other in self.before(site) if other.node.type == "Concat"]
        nodes = [piece.node for stack in stacks for piece in self.before(stack)]
        return len({n.inputs[:1] for n in nodes}) == 1 and {n.type for n in nodes} <= {"Split", "Slice"}

    def _reads_view(self, site: Site) -> bool:
        """Return whether a Reshape stands before a layer, before the Splits of a layer in parts too."""
        before = further = set(site.layer.fed_by)
        while further:  # the parts of a part stand behind a Split of their own
            cut = (self.sites[index].layer for index in further if self.sites[index].node.type == "Split")
            further = {index for split in cut for index in split.fed_by} - before
            before = before | further
        return any(self.sites[index].node.type in ("Reshape", "Transpose") for index in before)

    @cached_property
    def moving(self) -> tuple[Site, ...]:
        """Convolutions that the compiler made from a permutation of channels, whole or in parts.

        A shuffle that a Concat or a Split stands beside becomes several, each with rows that read nothing.
        A nameless one of an image's few channels is how the compiler lays out an input of several layers.
        """
        aligned = {site.index for site in self.realigning}
        return tuple(
            site
            for site in self.sites
            if site.is_convolution and site.kernel and site.index not in aligned
            if site.is_named or site.kernel.shape[0] > IMAGE_CHANNELS
            if "gather_2conv" in site.base or moves_channels(self.model, site.kernel)
        )

    @cached_property
    def _tiles(self) -> Tiles:
        return Tiles(self.model.contents)

    def tiles_of(self, site: Site) -> tuple[Tile, ...] | None:
        """Return what the convolution tasks of a layer fetch; None where its tasks cannot be read."""
        known = self.model.file.npu_generation in GENERATIONS and site.lists_known
        return self._tiles.of(site.node) if known and site.layer.register_command_bytes else None

    @cached_property
    def weights_removed(self) -> bool:
        """Whether most weight tensors have no bytes in the file (`remove_weight=True`)."""
        first = [site for site in self.sites if site.layer.graph == 0]
        kernels = [site.kernel for site in first if site.kernel and site.kernel.kind == "weight"]
        return len(kernels) > 0 and 2 * sum(kernel.buffer_bytes == 0 for kernel in kernels) > len(kernels)

    def _touches_concat(self, site: Site) -> bool:
        near = (*self.before(site), *self.after(site)) if site.is_convolution else (site,)
        return any("Concat" in other.node.type for other in near)

    def before(self, site: Site) -> tuple[Site, ...]:
        """Return the sites that feed `site`."""
        return tuple(self.sites[index] for index in site.layer.fed_by)

    def after(self, site: Site) -> tuple[Site, ...]:
        """Return the sites that `site` feeds."""
        return tuple(self.sites[index] for index in site.layer.feeds)

    @cached_property
    def description_bytes(self) -> int:
        """Bytes that describe inputs and outputs: text with mean, std and ranges, and the same as vectors.

        The vectors take 12 bytes a channel (measured: 512, 1,024 and 2,048 channels, fp16 and int8).
        """
        text = self.model.file.description
        listed = sum(len(means.split(",")) for means in _MEANS.findall(text))
        return len(text.encode("utf-8", "replace")) + MEAN_AND_STD_BYTES * listed

    @cached_property
    def structure_bytes(self) -> tuple[int, ...]:
        """Structure bytes of each site: an estimate, shared out by proportion."""
        weights = [structure_weight(site) for site in self.sites]
        attached = sum(len(site.outputs) + len(site.constants) for site in self.sites)
        loose = STRUCTURE_TENSOR * max(0, len(self.model.tensors) - attached)
        whole = STRUCTURE_BASE + loose + sum(weights)
        shared = max(0, self.model.sections.structure - self.description_bytes)
        return tuple(int(shared * weight / whole) for weight in weights)

    def ledger(self) -> Ledger:
        """Return every byte of the file by section and layer."""
        keys: dict[tuple[str, int | None], int] = {
            (section, None): size for section, size in vars(self.model.unattributed).items()
        }
        for site, structure in zip(self.sites, self.structure_bytes, strict=True):
            keys.update({(section, site.index): size for section, size in site.layer.sections().items()})
            keys["structure", site.index] = structure
            keys["structure", None] -= structure
        return Ledger(keys)


def read_facts(model: RknnModel) -> ModelFacts:
    """Return a model with its layers and their tensors side by side; before the model is closed."""
    seen: set[int] = set()
    sites = []
    for layer, node in zip(model.layers, model.nodes, strict=True):
        inputs = tuple(model.tensors[index] for index in node.inputs)
        own = []
        for tensor in inputs:
            offset = model.buffers[tensor.buffer_index].offset if tensor.buffer_index else 0
            if tensor.kind in SECTION_OF and tensor.buffer_bytes and offset not in seen:
                seen.add(offset)
                own.append(tensor)
        outputs = tuple(model.tensors[index] for index in node.outputs)
        sites.append(Site(layer, node, inputs, outputs, tuple(own)))
    return ModelFacts(model, tuple(sites))


def _by_source(sites: Iterable[Site]) -> list[list[Site]]:
    """Return the convolutions with a kernel by graph and source, the parts of a split one in order."""
    parts: dict[tuple[int, str], list[tuple[int, Site]]] = defaultdict(list)
    for site in sites:
        if site.is_convolution and site.kernel and not _KEPT_GROUP.search(site.base):
            source, _, tile = site.base.partition("_tile")
            number = int(tile) if tile.isdecimal() and len(tile) < 6 else 0
            parts[site.layer.graph, source].append((number, site))
    return [[site for _, site in sorted(part, key=lambda pair: pair[0])] for part in parts.values()]


def _dense_groups(model: RknnModel, parts: list[Site]) -> DenseGroups | None:
    kernels = tuple(part.kernel for part in parts if part.kernel)
    groups = find_groups(model, kernels)
    if groups is None or groups.channels == groups.outputs == 1:
        return None  # a diagonal: the weights of the network are so, a depthwise convolution is stored as one
    outputs, _, height, width = kernels[0].shape
    needed = outputs * groups.channels * height * width * ELEMENT_BYTES[kernels[0].dtype]
    stored = sum(kernel.buffer_bytes for kernel in kernels)
    name = parts[0].layer.onnx_node or parts[0].base
    return DenseGroups(name, tuple(parts), kernels, groups, stored, needed)
