"""`inspect_model`: everything that `bench inspect` says about one file, as plain data for the views."""

from __future__ import annotations

from dataclasses import dataclass

from rkbench.inspect.answers import Answers, answer
from rkbench.inspect.causes import Diagnosis, find_causes, read_subject
from rkbench.inspect.myths import Myth, judge_myths
from rkbench.rknn.model import FileInfo, Layer, Memory, Sections, Tensor
from rkbench.rknn.model import RknnModel as Model


@dataclass(frozen=True)
class Inspection:
    """What a .rknn file is made of and why; it outlives the opened model."""

    file: FileInfo
    sections: Sections
    memory: Memory
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    layers: tuple[Layer, ...]
    structure_bytes: tuple[int, ...]
    """Of each layer: an estimate, shared out by proportion; what is left belongs to none."""
    unattributed: Sections
    """Bytes of no layer, by section; the structure that `structure_bytes` shares out is still in it."""
    task_count: int
    dtype: str
    """`fp16` or `int8`: what the file's layers compute in."""
    diagnosis: Diagnosis
    answers: Answers
    myths: tuple[Myth, ...]


def inspect_model(model: Model) -> Inspection:
    """Return the inspection of an opened model."""
    subject = read_subject(model)
    diagnosis = find_causes(model, subject)
    answers = answer(subject, diagnosis)
    return Inspection(
        file=model.file,
        sections=model.sections,
        memory=model.memory,
        inputs=model.inputs,
        outputs=model.outputs,
        layers=model.layers,
        structure_bytes=subject.structure_bytes,
        unattributed=model.unattributed,
        task_count=model.task_count,
        dtype=subject.dtype,
        diagnosis=diagnosis,
        answers=answers,
        myths=judge_myths(subject, diagnosis, answers),
    )
