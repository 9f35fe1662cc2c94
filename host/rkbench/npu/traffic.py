"""What a model moves through memory without need, and how many tasks its buffers and tables cost it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rkbench.npu import fields as f
from rkbench.npu.costs import TaskCosts
from rkbench.npu.inheritance import Ints
from rkbench.npu.tasks import CNA, DPU, TaskList
from rkbench.npu.words import SELECTION_WORDS

TrafficCode = Literal["padding_traffic", "weights_refetched"]


@dataclass(frozen=True)
class LayerTraffic:
    """One layer of the list for one core; bytes of DDR."""

    node: int
    """In `graph.nodes`."""
    padding_bytes: int
    """Written for channels that the layer does not have: the output stage writes whole groups of channels."""
    refetched_bytes: int
    """Weights fetched again by a later tile, because they did not stay in the buffer."""
    convolution_tasks: int
    """Tiles that it was cut into: by rows where features do not fit their banks, by kernels for weights."""
    weight_passes: int
    """How often its weights are fetched at most; 1 where each is fetched once."""
    table_fills: int
    """Tasks that fill the activation table for it."""
    table_bytes: int
    """Commands that do so."""
    padded_channels: tuple[int, int] = (0, 0)
    """Of the task that writes most for no channel: its own channels, and those that it writes."""


def layer_traffic(tasks: TaskList, costs: TaskCosts) -> tuple[LayerTraffic, ...]:
    """Return the traffic of every node with tasks, in the order of nodes."""
    padding = _padding(tasks)
    fills = tasks.tables.fill_words
    return tuple(_layer(tasks, costs, node, at, padding, fills) for node, at in tasks.nodes.items())


def _padding(tasks: TaskList) -> Ints:
    """Return the bytes that each convolution task writes beyond the channels that it states as its own."""
    channels = tasks.get(f.OUT_CHANNELS) - tasks.get(f.REAL_CHANNELS)
    area = (tasks.get(f.OUT_WIDTH) + 1) * (tasks.get(f.OUT_HEIGHT) + 1)
    element = np.array([size for _, size in f.PRECISIONS.values()])[tasks.get(f.OUT_PRECISION)]
    convolves = tasks.runs(CNA) & tasks.runs(DPU)
    return np.where(convolves & (channels > 0), channels * area * element, 0).astype(np.int64)


def _layer(
    tasks: TaskList, costs: TaskCosts, node: int, at: Ints, padding: Ints, fills: Ints
) -> LayerTraffic:
    convolves = at[tasks.runs(CNA)[at]]
    fetched = convolves[costs.weight_bytes[convolves] > 0]
    # Tiles that fetch from one address fetch the same weights: the longest of them is needed once.
    addresses, group = np.unique(tasks.get(f.WEIGHT_ADDRESS)[fetched], return_inverse=True)
    needed = np.zeros(len(addresses), np.int64)
    np.maximum.at(needed, group, costs.weight_bytes[fetched])
    return LayerTraffic(
        node=node,
        padding_bytes=int(padding[at].sum()),
        refetched_bytes=int(costs.weight_bytes[fetched].sum() - needed.sum()),
        convolution_tasks=len(convolves),
        weight_passes=int(np.bincount(group, minlength=1).max()),
        table_fills=int((fills[at] > SELECTION_WORDS).sum()),
        table_bytes=int(8 * fills[at][fills[at] > SELECTION_WORDS].sum()),
        padded_channels=_padded_channels(tasks, at, padding),
    )


def _padded_channels(tasks: TaskList, at: Ints, padding: Ints) -> tuple[int, int]:
    worst = at[padding[at].argmax()]
    if not padding[worst]:
        return 0, 0
    return int(tasks.get(f.REAL_CHANNELS)[worst]) + 1, int(tasks.get(f.OUT_CHANNELS)[worst]) + 1
