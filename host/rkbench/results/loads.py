"""What loading a model took, from the agent's messages: every load, their median and their range."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import groupby
from typing import Any

from rkbench_agent.wire.messages import LoadCycle, LoadMemory
from rkbench_agent.wire.words import BEFORE, FIRST_INFERENCE, MODEL_READ, RUNTIME_INITIALISED, STEADY

from rkbench.results.cycles import load_cycles
from rkbench.results.extras import LoadCycles
from rkbench.stats.summary import median, median_bounds

NS_PER_S = 1e9
_LOADED = (RUNTIME_INITIALISED, FIRST_INFERENCE, STEADY)
#: Which figure of several loads is told where it is not the median.
_OF_SEVERAL = {"peak_rss_bytes": max}


@dataclass(frozen=True)
class LoadPhase:
    """Memory at the end of one phase; `duration_s` is how long the phase took.

    `rss_anon_bytes`, `rss_file_bytes`, `rss_shmem_bytes` are the kinds of `rss_bytes`: NPU buffers that are
    mapped may count as file or shared memory. `sram_bytes`: in use of the NPU's SRAM.
    """

    name: str
    duration_s: float | None = None
    rss_bytes: int | None = None
    pss_bytes: int | None = None
    peak_rss_bytes: int | None = None
    memory_available_bytes: int | None = None
    dma_buf_bytes: int | None = None
    npu_weight_bytes: int | None = None
    npu_internal_bytes: int | None = None
    npu_total_bytes: int | None = None
    rss_anon_bytes: int | None = None
    rss_file_bytes: int | None = None
    rss_shmem_bytes: int | None = None
    sram_bytes: int | None = None


@dataclass(frozen=True)
class LoadFigures:
    """What one load of the model took.

    `duration_s`: reading the file and initialising the runtime, together. `rss_delta_bytes`: the
    worker in steady state against before. `system_delta_bytes`: by how much MemAvailable of the board
    fell. `npu_total_bytes`: what the runtime allocated for the NPU. `file_copy_bytes`: by how much the
    process grew while it only read the file, a copy that RKNNLite keeps beside the NPU's memory.
    """

    duration_s: float | None = None
    rss_delta_bytes: int | None = None
    peak_rss_bytes: int | None = None
    npu_weight_bytes: int | None = None
    npu_internal_bytes: int | None = None
    npu_total_bytes: int | None = None
    dma_buf_bytes: int | None = None
    system_delta_bytes: int | None = None
    file_copy_bytes: int | None = None


@dataclass(frozen=True)
class LoadRange:
    """Between what a figure of `LoadFigures` lay, over so many loads."""

    figure: str
    count: int
    low: float
    high: float


@dataclass(frozen=True)
class Load(LoadFigures):
    """What loading the model took: the median over its loads, of the peak the highest.

    `loads` are the figures of each, the first of them alone on the board; `ranges` tell their lowest and
    highest, where there are several. `phases` are those of the first.
    """

    phases: tuple[LoadPhase, ...] = ()
    cycles: LoadCycles | None = None
    loads: tuple[LoadFigures, ...] = ()
    ranges: tuple[LoadRange, ...] = ()

    def range_of(self, figure: str) -> LoadRange | None:
        """Return the range of a figure; None where it is known of fewer than two loads."""
        return next((found for found in self.ranges if found.figure == figure), None)


def load(memory: Sequence[LoadMemory], cycles: Sequence[LoadCycle] = ()) -> Load | None:
    """Return what loading took; None where no phase was reported.

    A load that was broken off counts only where there is no other.
    """
    if not memory:
        return None
    ordered = sorted(memory, key=lambda item: item.load)
    loads = [{item.phase: item for item in items} for _, items in groupby(ordered, lambda item: item.load)]
    whole = [phases for phases in loads if STEADY in phases] or loads[:1]
    found = tuple(map(_figures, whole))
    return Load(
        **{field.name: _of_several(field.name, found) for field in fields(LoadFigures)},
        phases=tuple(map(_phase, whole[0].values())),
        cycles=load_cycles(cycles),
        loads=found,
        ranges=tuple(_ranges(found)),
    )


def bounds_of_median(found: Load, figure: str) -> tuple[float, float] | None:
    """Return the bounds of the median of a figure over the loads; None of fewer than six."""
    return median_bounds(_known(figure, found.loads))


def _of_several(figure: str, loads: Sequence[LoadFigures]) -> Any:
    values = _known(figure, loads)
    if not values:
        return None
    value = _OF_SEVERAL.get(figure, median)(values)
    return round(value) if figure.endswith("_bytes") else value


def _ranges(loads: Sequence[LoadFigures]) -> Iterable[LoadRange]:
    for field in fields(LoadFigures):
        values = _known(field.name, loads)
        if len(values) > 1:
            yield LoadRange(field.name, len(values), min(values), max(values))


def _known(figure: str, loads: Sequence[LoadFigures]) -> list[float]:
    return [value for one in loads if (value := getattr(one, figure)) is not None]


def _figures(phases: Mapping[str, LoadMemory]) -> LoadFigures:
    before = phases.get(BEFORE)
    loaded = [phases[name] for name in _LOADED if name in phases]
    steady = loaded[-1] if loaded else None
    lowest = min(
        (p.memory_available_bytes for p in loaded if p.memory_available_bytes is not None), default=None
    )
    peaks = (p.peak_rss_bytes for p in phases.values() if p.peak_rss_bytes is not None)
    return LoadFigures(
        duration_s=_duration_s(phases),
        rss_delta_bytes=_minus(_of(steady, "rss_bytes"), _of(before, "rss_bytes")),
        peak_rss_bytes=max(peaks, default=None),
        npu_weight_bytes=_last(p.npu_weight_bytes for p in loaded),
        npu_internal_bytes=_last(p.npu_internal_bytes for p in loaded),
        npu_total_bytes=_last(p.npu_total_bytes for p in loaded),
        dma_buf_bytes=max((p.dma_buf_bytes for p in loaded if p.dma_buf_bytes is not None), default=None),
        system_delta_bytes=_minus(_of(before, "memory_available_bytes"), lowest),
        file_copy_bytes=_minus(_of(phases.get(MODEL_READ), "rss_bytes"), _of(before, "rss_bytes")),
    )


def _duration_s(phases: Mapping[str, LoadMemory]) -> float | None:
    """Return the seconds of reading the file and initialising the runtime; None unless both are known."""
    read, initialised = phases.get(MODEL_READ), phases.get(RUNTIME_INITIALISED)
    if initialised is None or initialised.duration_ns is None:
        return None
    if read is None or read.duration_ns is None:
        return None
    return (read.duration_ns + initialised.duration_ns) / NS_PER_S


def _phase(item: LoadMemory) -> LoadPhase:
    told = {field.name: getattr(item, field.name) for field in fields(LoadPhase) if hasattr(item, field.name)}
    duration_s = None if item.duration_ns is None else item.duration_ns / NS_PER_S
    return LoadPhase(name=item.phase, duration_s=duration_s, **told)


def _of(item: LoadMemory | None, name: str) -> int | None:
    return None if item is None else getattr(item, name)


def _minus(left: int | None, right: int | None) -> int | None:
    return None if left is None or right is None else left - right


def _last(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return known[-1] if known else None
