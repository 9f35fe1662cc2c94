"""One layer with its node and tensors: where in the file a cause can sit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from math import prod

from rkbench.rknn.contents import Layer, Node, Tensor
from rkbench.rknn.file_format import TASK_BYTES
from rkbench.rknn.placement import kernel_of

# Structure bytes, fitted on 28 files of four SoC x dtype (within 12 %, one 22 %): 2.0 kB + 290 a tensor
# + 410 a node + 10 a task + 53 a kB of commands (relocation entries); and 213 for each task that reads a
# model input (it is listed once more, for zero-copy inputs). Only the proportions are used: the structure
# bytes that a file really has, less the text that describes its inputs, are shared out by them.
STRUCTURE_BASE = 2036
STRUCTURE_TENSOR = 290
STRUCTURE_NODE = 410
STRUCTURE_TASK = 10
STRUCTURE_COMMAND = 0.0526
STRUCTURE_INPUT_TASK = 213

IN_BLOCKS = "NC1HWC2"
"""The layout of maps in blocks of channels, and of constants that are read like maps."""

_FUSED = re.compile(r"_(?:Conv|BatchNormalization|Add|Mul)[A-Z]\w*$")


@dataclass(frozen=True)
class Site:
    """One layer with its node and tensors: where in the file a cause can sit."""

    layer: Layer
    node: Node
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    constants: tuple[Tensor, ...]
    """Constants whose bytes in the file count for this layer, the first that reads them."""

    @property
    def index(self) -> int:
        """The index of the layer, of its node, and in `ModelFacts.sites`."""
        return self.layer.index

    @cached_property
    def base(self) -> str:
        """The name without type and fusion: `Conv_19#1_tile0` of `Conv:Conv_19#1_tile0_ConvAdd`.

        Of one that the file gives no name the tensor that it makes, else its type.
        """
        made = self.outputs[0].name if self.outputs else ""
        return _FUSED.sub("", self.layer.name.split(":", 1)[-1]) or made or self.node.type

    @property
    def is_norm(self) -> bool:
        """Whether it norms its maps; a batch normalization only scales them."""
        return "Norm" in self.node.type and "Batch" not in self.node.type

    @property
    def is_named(self) -> bool:
        """Whether the file gives it a name: a layer of the compiler's own may have none."""
        return bool(self.layer.name.split(":", 1)[-1])

    @cached_property
    def kernel(self) -> Tensor | None:
        """The weight tensor with four dimensions, or None."""
        return kernel_of(self.inputs)

    @property
    def is_convolution(self) -> bool:
        """Whether it is a convolution, transposed ones left aside."""
        return self.node.type.startswith("Conv") and not self.node.type.startswith("ConvTranspose")

    @property
    def flattens(self) -> bool:
        """Whether its kernel is as large as its map and makes as many channels of it as that has values."""
        kernel, read = self.kernel, self.layer.input_shapes[:1]
        if kernel is None or not read or prod(kernel.shape[2:]) == 1:
            return False
        return kernel.shape == (prod(read[0]), *read[0][1:])

    @property
    def is_recurrent(self) -> bool:
        """Whether it is a GRU, LSTM or RNN; the shape of its weights in the file is that of one gate."""
        return any(kind in self.node.type for kind in ("GRU", "LSTM", "RNN"))

    @property
    def dilation(self) -> int:
        """The larger dilation of a convolution; 1 of anything else."""
        return max(self.node.convolution.dilations, default=1) if self.node.convolution else 1

    @property
    def thinning(self) -> int:
        """The stride of a depthwise 1x1 convolution, 1 of anything else."""
        kernel, options = self.kernel, self.node.convolution
        if kernel is None or options is None or kernel.shape[2:] != (1, 1) or options.groups < 2:
            return 1
        return max(options.strides, default=1)

    @property
    def tasks(self) -> tuple[int, int, int]:
        """NPU tasks in the lists for 1, 2 and 3 cores."""
        return _by_list(self.layer.task_counts)

    @property
    def commands(self) -> tuple[int, int, int]:
        """Bytes of register commands that the lists for 1, 2 and 3 cores were the first to need."""
        return _by_list(self.layer.register_command_bytes_by_core)

    @property
    def table_fills(self) -> tuple[int, int, int]:
        """Those of `commands` that fill the activation table."""
        return _by_list(self.layer.table_fill_bytes_by_core)

    @property
    def map_tasks(self) -> int:
        """NPU tasks on one core that work on the map: without those that fill the activation table.

        The node's own counts leave these out where the records are more than they say.
        """
        own = self.node.task_counts
        if sum(self.table_fills) and 0 < sum(own) < sum(self.layer.task_counts):
            return own[0]
        return self.tasks[0] - self.layer.table_fill_tasks

    @property
    def lists_known(self) -> bool:
        """Whether its task records are those of its six counts; of GRU and LSTM the counts say fewer."""
        return self.layer.task_bytes == TASK_BYTES * sum(self.layer.task_counts)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the first output, () where it has none."""
        return self.outputs[0].shape if self.outputs else ()


def structure_weight(site: Site) -> float:
    """Return the proportion of the structure that a site takes."""
    tensors = len(site.outputs) + len(site.constants)
    tasks = sum(site.tasks)
    reads_input = any(tensor.kind == "input" for tensor in site.inputs)
    per_task = STRUCTURE_TASK + STRUCTURE_INPUT_TASK * reads_input
    commands = STRUCTURE_COMMAND * site.layer.register_command_bytes
    return STRUCTURE_NODE + STRUCTURE_TENSOR * tensors + per_task * tasks + commands


def _by_list(six: tuple[int, ...]) -> tuple[int, int, int]:
    return sum(six[:1]), sum(six[1:3]), sum(six[3:])
