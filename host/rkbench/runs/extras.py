"""Parts of a result that stand beside its clean numbers: conditions, load cycles, time of each layer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rkbench_agent.wire.board import HeldClock
from rkbench_agent.wire.words import CPU, DDR, NPU

from rkbench.stats.slope import SlopeJudgement
from rkbench.units import format_hertz


@dataclass(frozen=True)
class Conditions:
    """What was held still while it was measured; None in a result where nobody asked for it.

    `settings` maps files of sysfs to what was written there; without `pinned` it is empty and `message`
    says why. `big_cpus` are the CPUs that the worker was placed on. `clocks` says by part of the board what
    was held; the first version recorded `settings` alone.
    """

    pinned: bool
    settings: Mapping[str, str]
    big_cpus: tuple[int, ...] = ()
    message: str = ""
    clocks: tuple[HeldClock, ...] = ()

    def __post_init__(self) -> None:
        if self.settings and not self.clocks:
            object.__setattr__(self, "clocks", tuple(_clocks_written(self.settings)))

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
class Profile:
    """The time of each layer, from a run of its own that collecting it made slower.

    `text` is what the runtime printed; `layers` is empty where that has a form that is not known.
    """

    runtime: str
    layers: tuple[LayerTime, ...]
    total_s: float | None
    text: str


def held_text(clocks: Sequence[HeldClock]) -> str:
    """Return in words how the clocks were held: governors, and clocks with their unit, each once."""
    words = []
    for clock in clocks:
        words += [clock.governor] if clock.governor else []
        words += [format_hertz(clock.clock_hz)] if clock.clock_hz is not None else []
    return ", ".join(dict.fromkeys(words))


#: A folder of sysfs with a clock of its own, as the first version recorded what it wrote there.
_FOLDER = re.compile(r"/(?:devfreq/(?P<device>[^/]+)|cpufreq/(?P<policy>[^/]+))/")


def _clocks_written(settings: Mapping[str, str]) -> Iterator[HeldClock]:
    """Yield what was held, of the files and what was written to them; cpufreq counts in kHz."""
    written: dict[tuple[str, int], list[str]] = {}
    for path, value in settings.items():
        found = _FOLDER.search(path)
        if found is not None:
            device, policy = found["device"], found["policy"]
            part = f"{CPU} {policy}" if policy else DDR if device == "dmc" else NPU
            written.setdefault((part, 1000 if policy else 1), []).append(value)
    for (part, unit), values in written.items():
        clocks = [int(value) * unit for value in values if value.isdigit()]
        governors = [value for value in values if not value.isdigit()]
        yield HeldClock(part, next(iter(governors), None), next(iter(clocks), None))
