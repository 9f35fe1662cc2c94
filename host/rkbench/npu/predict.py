"""`predict_latency`: how long a .rknn will take on a board, from the tasks in it; no board is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from os import PathLike
from typing import Literal

import numpy as np

from rkbench.errors import ModelError
from rkbench.language.said import Said
from rkbench.npu import fields as f
from rkbench.npu.costs import CostSums, Floats, TaskCosts, total
from rkbench.npu.decoded import DecodedGraph
from rkbench.npu.doubts import COMPRESSED, not_counted_of, outside_of, unexplained, wider_above
from rkbench.npu.inheritance import Ints
from rkbench.npu.latency_model import (
    FittedLatency,
    find_latency_model,
    mac_seconds,
    memory_seconds,
    task_terms,
)
from rkbench.npu.tasks import TaskList
from rkbench.npu.what_if import AS_FITTED, WhatIf
from rkbench.rknn.contents import Graph
from rkbench.rknn.graph_shape import GraphShape, graph_shape
from rkbench.rknn.model import RknnModel
from rkbench.rknn.reader import open_model
from rkbench.rknn.targets import npu_generation

Bound = Literal["macs", "memory", "tables", "tasks"]
BOUNDS: tuple[Bound, ...] = ("macs", "memory", "tables", "tasks")
#: Lists of tasks by the number of cores that share the work.
LISTS = {1: (0,), 2: (1, 2), 3: (3, 4, 5)}


@dataclass(frozen=True)
class LayerLatency:
    """One layer: what it costs, and where its predicted time goes; the parts sum to `latency_s`."""

    index: int
    """In `RknnModel.layers`."""
    name: str
    type: str
    latency_s: float
    bound: Bound
    """What takes most of it."""
    macs_s: float
    memory_s: float
    tables_s: float
    tasks_s: float
    costs: CostSums


@dataclass(frozen=True)
class LatencyPrediction:
    """What a model will take on one SoC, for `rknn_run` alone at the clocks of the fit."""

    soc: str
    cores: int
    clock_hz: float
    latency_s: float
    low_s: float | None
    """The band; None where the model or the question is outside of what was fitted."""
    high_s: float | None
    outside: tuple[Said, ...]
    """Why there is no band; empty where there is one."""
    provisional: str | None
    """Why the SoC's fit is to be trusted less."""
    source: str
    bound: Bound
    layers: tuple[LayerLatency, ...]
    """Those with tasks, in the order of execution."""
    not_counted: tuple[Said, ...]
    """Layers that take time and are not in the sum: what runs on the CPU, and what was not in the fit."""
    provenance: Literal["predicted"] = "predicted"
    wider: Said | None = None
    """Why the band is wider than that of the fit; None where it is not."""
    shape: GraphShape | None = None
    """Which of several input shapes it is for; None where the file holds one."""


def predict_latency(
    model: RknnModel | str | PathLike[str],
    *,
    what_if: WhatIf = AS_FITTED,
    fitted: FittedLatency | None = None,
    graph_index: int = 0,
) -> LatencyPrediction:
    """Predict how long `rknn_run` of a .rknn takes; `fitted` replaces the model of the file's SoC.

    Of a model with dynamic inputs `graph_index` says which shape. Raises ModelError where the file's tasks
    cannot be decoded, where it has none for so many cores, and where nothing was fitted for its SoC or
    `fitted` is of another NPU.
    """
    if not isinstance(model, RknnModel):
        with open_model(model) as opened:
            return predict_latency(opened, what_if=what_if, fitted=fitted, graph_index=graph_index)
    return predict_decoded(DecodedGraph(model, graph_index), what_if=what_if, fitted=fitted)


def predict_decoded(
    decoded: DecodedGraph, *, what_if: WhatIf = AS_FITTED, fitted: FittedLatency | None = None
) -> LatencyPrediction:
    """Predict as `predict_latency`, of a graph that may be asked several times; raises the same."""
    graph, found = decoded.graph, _fit_for(decoded.model, fitted)
    latency_model = replace(found, machine=what_if.applied_to(found.machine))
    cores = [_core(*decoded.tasks(number), latency_model) for number in LISTS[what_if.cores]]
    single = cores if what_if.cores == 1 else [_core(*decoded.tasks(), latency_model)]
    layers = tuple(_layers(graph, cores, single, latency_model))
    compressed = any(core.tasks.get(f.DECOMPRESSION).any() for core in cores)
    unknown = decoded.tasks()[0].unexplained
    outside = (
        *outside_of(decoded, [(layer.type, layer.latency_s) for layer in layers], found),
        *what_if.reasons(),
        *([COMPRESSED] if compressed else []),
        *([unexplained(unknown.what)] if unknown else []),
    )
    made = _prediction(latency_model, what_if.cores, layers, outside, not_counted_of(graph, found))
    return replace(made, shape=graph_shape(decoded.model, graph.index))


def _fit_for(model: RknnModel, fitted: FittedLatency | None) -> FittedLatency:
    target = model.file.target or "an unnamed SoC"
    if fitted and npu_generation(fitted.soc) != model.file.npu_generation:
        raise ModelError(
            f"{model.file.path} is converted for {target}, and the calibration is of an {fitted.soc}",
            hint=f"convert it with target_platform={fitted.soc!r}, or predict without the board",
        )
    found = fitted or find_latency_model(model.file.target)
    if found is None:
        raise ModelError(f"{model.file.path}: nothing was fitted for {target}")
    return found


def model_terms(model: RknnModel | DecodedGraph | str | PathLike[str], fitted: FittedLatency) -> Floats:
    """Return the four sums over the tasks of one core that the coefficients of `fitted` belong to, (4,).

    Raises ModelError where the file's tasks cannot be decoded.
    """
    if isinstance(model, RknnModel):
        return model_terms(DecodedGraph(model), fitted)
    if not isinstance(model, DecodedGraph):
        with open_model(model) as opened:
            return model_terms(opened, fitted)
    tasks, costs = model.tasks()
    nodes = model.graph.nodes
    kept = [nodes[node].type not in fitted.skipped_types for node in tasks.node]
    terms: Floats = task_terms(costs, fitted.machine)[np.array(kept)].sum(axis=0)
    return terms


@dataclass(frozen=True)
class _Core:
    """What one of the cores does: the costs of its tasks, and where their time goes."""

    tasks: TaskList
    costs: TaskCosts
    seconds: Floats
    """(tasks, 4), in the order of `BOUNDS`."""


def _core(tasks: TaskList, costs: TaskCosts, latency_model: FittedLatency) -> _Core:
    machine = latency_model.machine
    roofline, memory, tables, each = (task_terms(costs, machine) * np.array(latency_model.coefficients)).T
    by_macs = mac_seconds(costs, machine) >= memory_seconds(costs, machine)
    parts = [np.where(by_macs, roofline, 0), np.where(by_macs, 0, roofline) + memory, tables, each]
    return _Core(tasks, costs, np.stack(parts, axis=1))


def _layers(
    graph: Graph, cores: list[_Core], single: list[_Core], latency_model: FittedLatency
) -> Iterator[LayerLatency]:
    """Yield the layers; where cores share one, it takes as long as the slowest of them.

    A layer without tasks for so many cores is one that the compiler kept on one: `single`.
    """
    for number, node in enumerate(graph.nodes):
        if node.type in latency_model.skipped_types:
            continue
        shares = _shares(cores, number) or _shares(single, number)
        if not shares:
            continue
        macs_s, memory_s, tables_s, tasks_s = max(
            (core.seconds[at].sum(axis=0) for core, at in shares), key=lambda parts: float(parts.sum())
        ).tolist()
        yield LayerLatency(
            index=node.index,
            name=node.name,
            type=node.type,
            latency_s=macs_s + memory_s + tables_s + tasks_s,
            bound=_bound((macs_s, memory_s, tables_s, tasks_s)),
            macs_s=macs_s,
            memory_s=memory_s,
            tables_s=tables_s,
            tasks_s=tasks_s,
            costs=total([core.costs.sums(at) for core, at in shares]),
        )


def _shares(cores: list[_Core], number: int) -> list[tuple[_Core, Ints]]:
    return [(core, core.tasks.nodes[number]) for core in cores if number in core.tasks.nodes]


def _bound(parts: tuple[float, float, float, float]) -> Bound:
    return BOUNDS[int(np.argmax(parts))]


def _prediction(
    fitted: FittedLatency,
    cores: int,
    layers: tuple[LayerLatency, ...],
    outside: tuple[Said, ...],
    not_counted: tuple[Said, ...],
) -> LatencyPrediction:
    latency_s = sum(layer.latency_s for layer in layers)
    parts = tuple(sum(getattr(layer, f"{name}_s") for layer in layers) for name in BOUNDS)
    macs_s, memory_s, tables_s, tasks_s = parts
    call_s = fitted.call_s if latency_s < fitted.fastest_s else 0.0
    return LatencyPrediction(
        soc=fitted.soc,
        cores=cores,
        clock_hz=fitted.machine.clock_hz,
        latency_s=latency_s,
        low_s=None if outside else latency_s * (1 - fitted.band_ratio),
        high_s=None if outside else latency_s * (1 + fitted.band_ratio) + call_s,
        outside=outside,
        provisional=fitted.provisional,
        source=fitted.source,
        bound=_bound((macs_s, memory_s, tables_s, tasks_s)),
        layers=layers,
        not_counted=not_counted,
        wider=wider_above(fitted, call_s) if call_s and not outside else None,
    )
