"""`inspect_model`: everything that `bench inspect` says about one .rknn."""

from __future__ import annotations

from dataclasses import replace

from rkbench.inspection.answers import answer
from rkbench.inspection.causes import Attribution, find_causes, read_facts
from rkbench.inspection.causes.model_facts import ModelFacts
from rkbench.inspection.document import (
    SCHEMA,
    FileInspection,
    InspectedFile,
    InspectedLayer,
    InspectedMemory,
    InspectedTensor,
    OrdinaryBytes,
)
from rkbench.inspection.myths import judge_myths
from rkbench.inspection.output_scales import coarse_outputs
from rkbench.rknn.contents import Layer, Memory, Sections, Tensor
from rkbench.rknn.model import RknnModel

SMALL_BOARD_BYTES = 2_000_000_000
"""Memory of the small boards that people deploy to, in bytes."""


def inspect_model(model: RknnModel, *, digest: bool = True) -> FileInspection:
    """Return the inspection of an opened model; it outlives the model.

    Without `digest` the file is not hashed and `sha256` is None: hashing costs more than the rest.
    """
    facts = read_facts(model)
    attribution = find_causes(model, facts)
    answers = answer(facts, attribution)
    return FileInspection(
        schema=SCHEMA,
        sentence=attribution.sentence,
        verdict=attribution.verdict,
        lead_cause=attribution.lead,
        file=_file(facts, digest),
        sections=model.sections,
        memory=_memory(model.memory),
        inputs=tuple(_tensor(tensor) for tensor in model.inputs),
        outputs=tuple(_tensor(tensor) for tensor in model.outputs),
        layers=_layers(facts, attribution),
        unattributed=_unattributed(facts),
        causes=attribution.causes,
        ordinary=OrdinaryBytes(attribution.ordinary_bytes, attribution.ordinary),
        answers=answers,
        myths=judge_myths(facts, attribution, answers),
        onnx=None,
        diff=None,
        coarse_outputs=coarse_outputs(model),
    )


def _file(facts: ModelFacts, digest: bool) -> InspectedFile:
    file = facts.model.file
    return InspectedFile(
        path=str(file.path),
        sha256=file.sha256 if digest else None,
        size_bytes=file.size_bytes,
        container_version=file.container_version,
        mini=file.mini,
        target=file.target or None,
        toolkit_version=file.toolkit_version or None,
        compiler_version=file.compiler_version or None,
        framework=file.framework or None,
        npu_generation=file.npu_generation or None,
        dtype=facts.precision,
        task_count=facts.model.task_count,
    )


def _memory(memory: Memory) -> InspectedMemory:
    weights, internal = memory.weight_bytes, memory.internal_bytes
    total = None if weights is None or internal is None else weights + internal
    return InspectedMemory(
        weight_bytes=weights,
        internal_bytes=internal,
        compiler_constant_bytes=memory.compiler_constant_bytes,
        total_bytes=total,
        share_of_2_gb_board=None if total is None else total / SMALL_BOARD_BYTES,
        provenance="from_file",
    )


def _tensor(tensor: Tensor) -> InspectedTensor:
    return InspectedTensor(
        name=tensor.name,
        dtype=tensor.dtype or None,
        shape=tensor.shape,
        native_shape=tensor.native_shape,
        layout=tensor.layout or None,
        scale=tensor.scale,
        zero_point=tensor.zero_point,
    )


def _layers(facts: ModelFacts, attribution: Attribution) -> tuple[InspectedLayer, ...]:
    pairs = zip(facts.model.layers, facts.structure_bytes, strict=True)
    return tuple(_layer(layer, structure, attribution.owners.get(layer.index)) for layer, structure in pairs)


def _layer(layer: Layer, structure_bytes: int, cause: str | None) -> InspectedLayer:
    return InspectedLayer(
        index=layer.index,
        graph=layer.graph,
        name=layer.name,
        type=layer.type,
        dtype=layer.dtype or None,
        target=layer.target,
        onnx_node=layer.onnx_node,
        rewrite=layer.rewrite,
        weight_bytes=layer.weight_bytes,
        cpu_constant_bytes=layer.cpu_constant_bytes,
        lookup_table_bytes=layer.lookup_table_bytes,
        kind7_bytes=layer.kind7_bytes,
        compiler_constant_bytes=layer.compiler_constant_bytes,
        register_command_bytes=layer.register_command_bytes,
        register_command_bytes_by_core=layer.register_command_bytes_by_core,
        task_bytes=layer.task_bytes,
        task_counts=layer.task_counts,
        structure_bytes=structure_bytes,
        total_bytes=layer.size_bytes + structure_bytes,
        input_shapes=layer.input_shapes,
        output_shapes=layer.output_shapes,
        output_dtypes=layer.output_dtypes,
        fed_by=layer.fed_by,
        feeds=layer.feeds,
        cause=cause,
    )


def _unattributed(facts: ModelFacts) -> Sections:
    """Return the bytes of no layer, without the structure that was shared out."""
    rest = facts.model.unattributed
    return replace(rest, structure=rest.structure - sum(facts.structure_bytes))
