"""What `bench inspect` says of the NPU's tasks: part of its document, from the file or predicted."""

from __future__ import annotations

from dataclasses import dataclass

from rkbench.language.said import Said
from rkbench.npu.coverage import UnknownWords
from rkbench.npu.outline import TaskOutline
from rkbench.npu.predict import LatencyPrediction
from rkbench.npu.traffic import LayerTraffic, TrafficCode


@dataclass(frozen=True)
class InspectedTask:
    """One task of the list for one core."""

    index: int
    """In the task records of the file."""
    layer: int
    """In `layers`."""
    words: Said
    """What it computes, where its buffers lie, and what becomes of the values."""
    macs: int
    mac_cycles: int
    mac_fill_ratio: float | None
    """How full the MAC array is, 0 to 1; None of a task without it."""
    read_bytes: int
    """From memory, its commands included."""
    written_bytes: int


@dataclass(frozen=True)
class TrafficCause:
    """Bytes that cross the memory bus without need, of one kind, in an inference on one core."""

    code: TrafficCode
    title: Said
    bytes: int
    share: float
    """Of all bytes of DDR."""
    layers: tuple[str, ...]
    """The most of it first."""
    explanation: Said
    fix: Said


@dataclass(frozen=True)
class TensorLife:
    """One tensor in the NPU's internal memory: where it lies, and from which step to which it is needed."""

    name: str
    offset_bytes: int
    size_bytes: int
    first_layer: int
    """The layer that writes it; 0 of an input."""
    last_layer: int
    """The last layer that reads it; of an output, the last of all."""


@dataclass(frozen=True)
class InspectedNpu:
    """The register commands decoded; where they cannot be, `refused` says why, and `outline` may be there."""

    refused: str | None
    latency: LatencyPrediction | None = None
    """With MACs, cycles, bytes and tasks of every layer; nothing was measured."""
    command_words: int = 0
    """Of the file, over all core modes, without padding."""
    explained_ratio: float | None = None
    """Share of those that are not zero which fall on documented registers."""
    unknown: tuple[UnknownWords, ...] = ()
    """Those that do not."""
    reserved: tuple[UnknownWords, ...] = ()
    """Bits of documented registers that no field names."""
    traffic_causes: tuple[TrafficCause, ...] = ()
    """Biggest first; those of a hundredth of the traffic at least."""
    traffic: tuple[LayerTraffic, ...] = ()
    tasks: tuple[InspectedTask, ...] = ()
    """Of the layers that were asked for."""
    outline: tuple[TaskOutline, ...] = ()
    """Where registers are not explained: the tasks of the layers that were asked for, of all core modes."""
    memory: tuple[TensorLife, ...] = ()
    """Activations, inputs and outputs by offset."""
