"""Parts of a result that stand beside its clean numbers: conditions, load cycles, time of each layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rkbench_agent.wire.board import HeldClock
from rkbench_agent.wire.words import MEASURED

from rkbench.results.records import FallbackKind
from rkbench.stats.gates import State
from rkbench.stats.slope import SlopeJudgement
from rkbench.units import format_hertz


@dataclass(frozen=True)
class Requirement:
    """What a requirement of the push (`--require`) says of the run, in the words of a night's gates.

    `value`, and its bounds of 95 % where it has any, are in `unit` ("" for ratios and plain numbers).
    """

    gate: str
    quantity: str
    unit: str
    state: State
    value: float | None = None
    low: float | None = None
    high: float | None = None
    detail: str = ""


@dataclass(frozen=True)
class TaskMetric:
    """One metric of the task over all cases: top1, top5, map, map50, mean_iou (0 to 1), or a user's metric.

    `source` names the labels, or FILE.py:function. Without a `value`, `detail` says why there is none and
    `advice` what helps; the name is "" where all metrics of that source failed.
    """

    name: str
    value: float | None
    source: str
    case_count: int
    detail: str = ""
    advice: str = ""


@dataclass(frozen=True)
class PinRecord:
    """What was held still while it was measured; None in a result where nobody asked for it.

    `settings` maps files of sysfs to what was written there; without `pinned` it is empty and `message`
    says why. `big_cpus` are the CPUs that the worker was placed on. `clocks` says by part of the board what
    was held.
    """

    pinned: bool
    settings: Mapping[str, str]
    big_cpus: tuple[int, ...] = ()
    message: str = ""
    clocks: tuple[HeldClock, ...] = ()

    def clock_hz(self, part: str) -> int | None:
        """Return the clock that a part was pinned to; None where its governor alone was set, or nothing."""
        return next((clock.clock_hz for clock in self.clocks if clock.part == part), None)


@dataclass(frozen=True)
class LoadCycleRecord:
    """One load and release; memory is the worker's after the release."""

    duration_s: float
    release_s: float
    rss_bytes: int | None = None
    dma_buf_bytes: int | None = None


@dataclass(frozen=True)
class Leak:
    """By how much memory grows with every cycle, in bytes, after the first; bounds of 95 %.

    `memory` is what was looked at: rss (of the process) or dma_buf (the NPU's buffers).
    """

    memory: str
    judgement: SlopeJudgement
    bytes_per_cycle: float | None
    low_bytes: float | None
    high_bytes: float | None
    method: str


@dataclass(frozen=True)
class LoadCycles:
    """Loads and releases of one model, again and again in one worker that does nothing else.

    `first_s` is its first load, `warm_s` the median of the others (None where there are none).
    """

    count: int
    first_s: float
    warm_s: float | None
    leaks: tuple[Leak, ...]
    cycles: tuple[LoadCycleRecord, ...]


@dataclass(frozen=True)
class LayerTime:
    """One layer, as the runtime's own table has it.

    `unit` is NPU, CPU or GPU; `share` is of the sum of all layers, 0 to 1. `node` is the index of the
    node of that name in the .rknn, None where it has none; `onnx_node` the source node it comes from.
    Counts of cycles and bytes are None where the table has no such column.
    """

    number: int
    name: str
    op: str
    unit: str
    dtype: str
    duration_s: float
    share: float
    ddr_cycles: int | None = None
    npu_cycles: int | None = None
    moved_bytes: int | None = None
    node: int | None = None
    onnx_node: str | None = None


@dataclass(frozen=True)
class FallbackCost:
    """What the layers of one kind of fallback take, as the table of layers has it.

    `timed` of the `layers` have a time there; `duration_s`, and `share` of all layers (0 to 1), are of those:
    None where there is none.
    """

    kind: FallbackKind
    layers: int
    timed: int
    duration_s: float | None
    share: float | None
    slowest: tuple[str, ...] = ()
    """Names of those that are timed, the slowest first."""


@dataclass(frozen=True)
class Profile:
    """The time of each layer, from a run of its own that collecting it made slower.

    `text` is what the runtime printed; `layers` is empty where that has a form that is not known.
    `fallbacks` sums up layers on the CPU, and float ones of a quantized file; () where there are none.
    """

    runtime: str
    layers: tuple[LayerTime, ...]
    total_s: float | None
    text: str
    provenance: str = MEASURED
    fallbacks: tuple[FallbackCost, ...] = ()


def held_text(clocks: Sequence[HeldClock]) -> str:
    """Return in words how the clocks were held: governors, and clocks with their unit, each once."""
    words = []
    for clock in clocks:
        words += [clock.governor] if clock.governor else []
        words += [format_hertz(clock.clock_hz)] if clock.clock_hz is not None else []
    return ", ".join(dict.fromkeys(words))
