"""Tasks of NPUs whose registers nobody has explained: which blocks run for which layer, and how many words.

Task records are alike in all files of container 6; the bits of `enable` were compared on one ONNX converted
for rk3562, rk3576 and rv1126b, whose registers stand elsewhere than the RK3588's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rkbench.language.said import Said, say
from rkbench.npu.activation_tables import ACCESS_DATA
from rkbench.npu.layout import read_commands, refuse_old_or_mini
from rkbench.npu.tasks import CNA, DPU, DPU_RDMA, PPU, PPU_RDMA
from rkbench.npu.words import SELECTION_WORDS
from rkbench.rknn.model import RknnModel

#: In the order in which values pass them.
BLOCKS = (
    (CNA, say("convolution")),
    (DPU, say("output stage")),
    (DPU_RDMA, say("the output stage's reader")),
    (PPU, say("pooling")),
    (PPU_RDMA, say("pooling's reader")),
)


@dataclass(frozen=True)
class TaskOutline:
    """One task record, of all core modes."""

    index: int
    layer: int
    """In `layers`."""
    blocks: tuple[Said, ...]
    command_words: int
    fills_table: bool
    """Whether it fills the activation table."""


def task_outlines(model: RknnModel, graph_index: int = 0) -> tuple[TaskOutline, ...]:
    """Return the tasks of a graph, whatever NPU they are for.

    Raises ModelError where the file holds no task records that we read, or they point outside.
    """
    refuse_old_or_mini(model)
    graph = model.graphs[graph_index]
    words, records = read_commands(model, graph)
    fills = np.concatenate([[0], np.cumsum((words & np.uint64(0xFFFF)) == ACCESS_DATA)])
    start = records["address"].astype(np.int64) // 8
    end = start + records["amount"]
    return tuple(
        TaskOutline(
            index,
            graph.nodes[int(record["node"])].index,
            tuple(name for bit, name in BLOCKS if int(record["enable"]) & bit),
            int(record["amount"]),
            int(fills[end[index]] - fills[start[index]]) > SELECTION_WORDS,
        )
        for index, record in enumerate(records)
    )
