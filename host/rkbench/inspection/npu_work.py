"""The NPU's side of an inspection: tasks in words, their costs, and which tensor lies where, when."""

from __future__ import annotations

from collections.abc import Iterator

from rkbench.errors import ModelError, UsageError
from rkbench.inspection.npu_document import InspectedNpu, InspectedTask, TensorLife
from rkbench.inspection.npu_traffic import traffic_causes
from rkbench.npu.costs import TaskCosts
from rkbench.npu.coverage import coverage
from rkbench.npu.decoded import DecodedGraph
from rkbench.npu.layout import IN_ARENA, Layout
from rkbench.npu.outline import TaskOutline, task_outlines
from rkbench.npu.predict import predict_decoded
from rkbench.npu.tasks import TaskList
from rkbench.npu.traffic import layer_traffic
from rkbench.npu.words import describe_task
from rkbench.rknn.contents import Graph
from rkbench.rknn.model import RknnModel

ALL = "all"


def inspect_npu(model: RknnModel, layers: str | None = None) -> InspectedNpu:
    """Return what the tasks of the first graph do; those of `layers` (part of a name, or `all`) in words.

    Raises UsageError where no layer with tasks bears such a name. What cannot be decoded says why.
    """
    try:
        decoded = DecodedGraph(model)
        layout, (tasks, costs) = decoded.layout, decoded.tasks()
    except ModelError as error:
        return InspectedNpu(refused=error.message, outline=_outline(model, layers) if layers else ())
    found = coverage(layout)
    traffic = layer_traffic(tasks, costs)
    return InspectedNpu(
        refused=None,
        latency=predict_decoded(decoded),
        command_words=found.words,
        explained_ratio=found.explained_ratio,
        unknown=found.unknown,
        reserved=found.reserved,
        traffic_causes=traffic_causes(layout.graph, traffic, int(costs.ddr_bytes.sum())),
        traffic=traffic,
        tasks=tuple(_tasks(layout, tasks, costs, layers)) if layers else (),
        memory=tuple(sorted(_lives(layout.graph), key=lambda life: (life.offset_bytes, life.first_layer))),
    )


def _tasks(layout: Layout, tasks: TaskList, costs: TaskCosts, layers: str) -> Iterator[InspectedTask]:
    nodes = layout.graph.nodes
    wanted = {n for n in tasks.nodes if layers == ALL or layers in nodes[n].name}
    if not wanted:
        raise UsageError(
            f"--tasks {layers}: no layer with NPU tasks bears that in its name",
            hint=f"names are listed by: bench inspect {layout.model.file.path} --layers all",
        )
    for i, task in enumerate(tasks):
        if task.node in wanted:
            cycles = int(costs.mac_cycles[i])
            yield InspectedTask(
                index=task.index,
                layer=nodes[task.node].index,
                words=describe_task(task, layout.generation),
                macs=int(costs.macs[i]),
                mac_cycles=cycles,
                mac_fill_ratio=float(costs.full_mac_cycles[i]) / cycles if cycles else None,
                read_bytes=int(costs.ddr_bytes[i] - costs.written_bytes[i]),
                written_bytes=int(costs.written_bytes[i]),
            )


def _outline(model: RknnModel, layers: str) -> tuple[TaskOutline, ...]:
    """Return the tasks of an NPU whose registers are not explained; () where none can be read."""
    try:
        outlines = task_outlines(model)
    except ModelError:  # why is in the refusal that is shown
        return ()
    names = {node.index: node.name for node in model.graphs[0].nodes}
    return tuple(each for each in outlines if layers == ALL or layers in names[each.layer])


def _lives(graph: Graph) -> Iterator[TensorLife]:
    """Yield from when to when each tensor of the internal memory is needed, in steps that are layers."""
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for node in graph.nodes:
        for written in node.outputs:
            first.setdefault(written, node.index)
        for used in (*node.inputs, *node.outputs):
            last[used] = node.index
    start = graph.nodes[0].index if graph.nodes else 0
    kept = {tensor.index for tensor in graph.outputs}
    for tensor in graph.tensors:
        if tensor.kind in IN_ARENA and tensor.size_bytes and tensor.index in last:
            end = graph.nodes[-1].index if tensor.index in kept else last[tensor.index]
            born = first.get(tensor.index, start)
            yield TensorLife(tensor.name, tensor.arena_offset, tensor.size_bytes, born, end)
