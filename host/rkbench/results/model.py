"""The result of one run and its parts: what the JSON of `rkbench/1` holds, field for field.

Every dataclass here is frozen and serialised by its field names (`serialize.py`); the JSON Schema is made of
them (`make schema`). A field that comes later has a default. Unknown is None, never 0. Durations
end in `_s`, sizes in `_bytes`; a run on a virtual board has `simulated` set, and `provenance` says of
each group of numbers where it comes from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from rkbench_agent.wire.caveats import Caveat
from rkbench_agent.wire.provenance import Provenance

from rkbench.catalogue import Diagnosis
from rkbench.results.extras import PinRecord, Profile, Requirement, TaskMetric
from rkbench.results.interference import Interference
from rkbench.results.loads import Load
from rkbench.results.offline import Offline
from rkbench.results.output import Output
from rkbench.results.records import BoardRecord, PlanRecord, TransferRecord, Variant
from rkbench.results.server import Server
from rkbench.results.soak import Soak
from rkbench.stats.clusters import BLOCK, Unit

SCHEMA: Literal["rkbench/1"] = "rkbench/1"

Verdict = Literal["VALID", "UNPINNED", "SUSPECT", "STOPPED", "FAILED"]
VALID: Final = "VALID"
UNPINNED: Final = "UNPINNED"
SUSPECT: Final = "SUSPECT"
STOPPED: Final = "STOPPED"
FAILED: Final = "FAILED"
#: Its numbers count; they do, but clocks may have followed the load; they are doubtful; the user
#: ended it early; it could not be carried out.
VERDICTS: tuple[Verdict, ...] = (VALID, UNPINNED, SUSPECT, STOPPED, FAILED)

#: How percentiles are taken, stated beside every latency summary (Hyndman and Fan, definition 7).
PERCENTILE_METHOD = "linear"


@dataclass(frozen=True)
class LatencySummary:
    """A summary of latencies. `stddev_s` is None below two, a percentile where so few cannot carry it.

    That is below 64 iterations for p90, 130 for p95, 662 for p99, 6,636 for p99.9 (LoadGen's early stopping).
    """

    count: int
    min_s: float
    mean_s: float
    p50_s: float
    p90_s: float | None
    p99_s: float | None
    max_s: float
    stddev_s: float | None
    p95_s: float | None = None
    p999_s: float | None = None


def percentile_field(percent: float) -> str:
    """Return the field of a summary that holds a percentile (0..100): 99.9 is `p999_s`."""
    return f"p{percent:g}_s".replace(".", "")


@dataclass(frozen=True)
class PercentileBounds:
    """Between what the true percentile lies, with 95 %; None where too little was seen to say.

    The bounds are those of `effective_count` independent calls: fewer than were timed, where blocks differ;
    None where they come from no such number, as those of busy periods.
    """

    percent: float
    low_s: float | None = None
    high_s: float | None = None
    effective_count: float | None = None


@dataclass(frozen=True)
class Stages:
    """The stages of the call, where the runtime tells them apart.

    `device` is the runtime's own figure of the NPU's time; it lies within `run`.
    """

    set_inputs: LatencySummary | None = None
    run: LatencySummary | None = None
    get_outputs: LatencySummary | None = None
    device: LatencySummary | None = None


@dataclass(frozen=True)
class Latency(LatencySummary):
    """The summary of the whole call, warm-up left out, with its stages and the bounds of its percentiles.

    `bounds_unit` is what is independent of the next: the load, or the block where there was one load, of
    which alone the bounds then speak; the busy period, `busy_period_count` of them, where calls arrived at
    random. `has_long_memory`: the level wanders from one to the next, of a server that of calls that waited
    for none (von Neumann's ratio), so no bounds are given; `wander_ratio` is by how much, the standard
    deviation of the levels over their median.
    `of_blocks` are the blocks of the raw latencies that it is of, where a scenario has others besides.
    """

    percentile_method: str = PERCENTILE_METHOD
    warmup_count: int = 0
    block_count: int = 0
    busy_period_count: int | None = None
    stages: Stages = Stages()
    bounds: tuple[PercentileBounds, ...] = ()
    has_long_memory: bool = False
    wander_ratio: float | None = None
    of_blocks: tuple[int, ...] = ()
    bounds_unit: Unit = BLOCK

    def within(self, percent: float) -> PercentileBounds:
        """Return the bounds of a percentile; unknown ones where the run has none."""
        found = (item for item in self.bounds if item.percent == percent)
        return next(found, PercentileBounds(percent))


#: Quantities of `wire.board.Reading` that somebody asks for by name.
NPU_CLOCK, DDR_CLOCK, CPU_CLOCK = "npu_clock_hz", "ddr_clock_hz", "cpu_clock_hz"
TEMPERATURE, NPU_LOAD, CPU_LOAD = "temperature_celsius", "npu_load_ratio", "cpu_load_ratio"


@dataclass(frozen=True)
class Sensor:
    """One sensor over the run, in the unit that its quantity ends with.

    `quantity` is a field of `Reading`; `part` says of what (a core, a zone, a policy), None of the board.
    `name` is both, as `quantity[part]`.
    """

    name: str
    count: int
    first: float
    min: float
    mean: float
    max: float
    last: float
    quantity: str = ""
    part: str | None = None


@dataclass(frozen=True)
class Readings:
    """The board's sensors while the run was timed, and the NPU load just before the first run.

    `inside_count` of the `count` samples were taken while a timed block ran. Where it is 0, the sensors
    are of the samples around.
    """

    count: int
    npu_load_ratio_before: float | None = None
    sensors: tuple[Sensor, ...] = ()
    inside_count: int | None = None

    def of(self, quantity: str) -> tuple[Sensor, ...]:
        """Return the sensors of one quantity: one of each part that tells it."""
        return tuple(sensor for sensor in self.sensors if sensor.quantity == quantity)


ReferenceStage = Literal["run", "call"]
#: rknn_run alone, as the vendor publishes it; or the whole call.
RUN_ALONE: Final = "run"
WHOLE_CALL: Final = "call"


@dataclass(frozen=True)
class Reference:
    """How the rate stands to the vendor's published one: `ratio` is measured / published.

    `stage` says what was measured: `run` (rknn_run alone, as published) or the whole `call`.
    """

    model: str
    source: str
    rate_per_s: float
    stage: ReferenceStage
    measured_per_s: float
    ratio: float


@dataclass(frozen=True)
class Failure:
    """Why a run ended early; `stage` and `reason` are of STAGES and REASONS in `wire.words`.

    `diagnoses` are what the logs of the run and of the kernel meanwhile say, the most telling first.
    """

    stage: str
    reason: str
    message: str
    advice: str = ""
    signal: str | None = None
    exit_code: int | None = None
    log_tail: tuple[str, ...] = ()
    diagnoses: tuple[Diagnosis, ...] = ()


@dataclass(frozen=True)
class RunResult:
    """One variant on one board, once. `partial`: it ended early, and these numbers are what it got.

    Of the scenario `offline`, `latency` and `throughput_per_s` are those of the step where it saturates, of
    `server` those of the rate that is its goodput, else of the last, of `interference` those of the run's own
    model beside the other, in the best placement.
    """

    id: str
    push: str
    started_at: str
    rkbench_version: str
    simulated: bool
    partial: bool
    verdict: Verdict
    provenance: Provenance
    board: BoardRecord
    variant: Variant
    plan: PlanRecord
    load: Load | None = None
    latency: Latency | None = None
    throughput_per_s: float | None = None
    #: By how much the process grew within the timed block in which it grew most, and how many calls that had.
    growth_bytes: int | None = None
    growth_iterations: int | None = None
    reference: Reference | None = None
    outputs: tuple[Output, ...] = ()
    readings: Readings | None = None
    transfer: TransferRecord | None = None
    conditions: PinRecord | None = None
    profile: Profile | None = None
    requirements: tuple[Requirement, ...] = ()
    task_metrics: tuple[TaskMetric, ...] = ()
    offline: Offline | None = None
    server: Server | None = None
    soak: Soak | None = None
    interference: Interference | None = None
    caveats: tuple[Caveat, ...] = ()
    failure: Failure | None = None
