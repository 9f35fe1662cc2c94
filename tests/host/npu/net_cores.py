"""A core of the NPU model with the tasks of a net."""

from __future__ import annotations

from made_nets import Net
from rkbench.npu.execute.core import NpuCore
from rkbench.npu.execute.cubes import AddressSpace
from rkbench.npu.execute.executor import OF_THE_RUNTIME
from rkbench.npu.layout import BASE, lay_out
from rkbench.npu.tasks import Task, decode_tasks
from rkbench.rknn import open_model


def core_of(net: Net) -> tuple[NpuCore, list[Task]]:
    with open_model(net.path) as model:
        layout = lay_out(model)
        tasks = decode_tasks(layout)
        nodes = layout.graph.nodes
        of_layers = [task for task in tasks if nodes[task.node].type not in OF_THE_RUNTIME]
        memory = AddressSpace(layout.memory(), layout.generation.atom_bytes, BASE)
        return NpuCore(layout.generation, memory, tasks.tables), of_layers
