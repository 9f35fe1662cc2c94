"""What a run is asked to do, and the plan that goes to the agent."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import List, Optional

from rkbench_agent.wire.words import AUTO, SINGLE_STREAM

#: A block of calls that take longer than this has fewer of them, so that it takes no longer than the
#: iterations of a block at this pace ...
SLOW_CALL_NS = 100_000_000
#: ... but never fewer than so many: a median of less says little.
FEWEST_READ = 5


@dataclass(frozen=True)
class RunSettings:
    """What a run is asked to do. The defaults of every setting stand here and nowhere else.

    A block is `block_iterations` timed iterations or `block_duration_s` of them, whichever is longer; of
    calls above 0.1 s fewer. A run alone has `min_blocks` blocks. With `interleave` several runs are loaded
    together and take turns in rounds A B C C B A: `quads` rounds, after which all are released, and so on
    for each of `loads`. Every run has at least `min_blocks`, `min_iterations` *and* `min_duration_s` of
    timed iterations, or `max_duration_s` (0: no limit). Where runs take turns, the first `unread_iterations`
    of every block are kept and not counted: caches and clocks settle after the switch.
    """

    scenario: str = SINGLE_STREAM
    #: None: the board's own. The plan that goes out names one.
    runtime: Optional[str] = None
    core_mask: str = AUTO
    warmup_iterations: int = 5
    min_iterations: int = 100
    min_duration_s: float = 2.0
    max_duration_s: float = 0.0
    min_blocks: int = 12
    block_iterations: int = 20
    block_duration_s: float = 0.1
    interleave: bool = True
    #: None: as many as the intervals of the comparison ask for. The plan that goes out names both.
    loads: Optional[int] = None
    quads: Optional[int] = None
    unread_iterations: int = 3
    #: Variants that differ by less are the same to who asks; half as wide an interval always decides.
    effect_percent: float = 2.0
    #: Go on, up to `loads`, until every difference is known to so many percent to either side.
    precision_percent: Optional[float] = None
    #: How long loading, the first inference and every further one may take before they count as a hang.
    load_timeout_s: float = 120.0
    first_inference_timeout_s: float = 60.0
    inference_timeout_s: float = 30.0
    #: Hold the clocks still, the NPU at `npu_clock_hz` (None: its highest), the worker on the big cores.
    pin: bool = False
    npu_clock_hz: Optional[int] = None
    #: Wait before each run until every thermal zone is below; at most `cool_limit_s`.
    cool_below_celsius: Optional[float] = None
    cool_limit_s: float = 300.0
    #: Wait at most so long before each run while others load CPU or NPU; 0: do not look.
    calm_limit_s: float = 5.0
    #: Load and release so many times in a worker of its own, after the clean run; 0: not at all.
    load_cycles: int = 0
    #: Collect the time of each layer in a worker of its own, after the clean run.
    profile: bool = False
    #: Scenario `offline`: so many contexts at once, one step each for every one of `placements`. The plan
    #: that goes out names them; empty: what suits the board. `interference` has placements of two models.
    contexts: List[int] = field(default_factory=list)
    placements: List[str] = field(default_factory=list)
    #: Scenario `server`: calls arrive at this rate, by a pattern that `seed` makes, for the first of
    #: `contexts` and `placements`. With `find_rate` the host asks for rates, to find the highest that
    #: keeps `slo`.
    rate_per_s: Optional[float] = None
    find_rate: bool = False
    slo: str = ""
    seed: int = 1


def read_iterations(settings: RunSettings, call_ns: float) -> int:
    """Return how many iterations of a block are read, of calls that take `call_ns` (0: nobody knows)."""
    read = max(1, settings.block_iterations)
    if call_ns > SLOW_CALL_NS:
        return min(read, max(FEWEST_READ, round(read * SLOW_CALL_NS / call_ns)))
    return max(read, math.ceil(settings.block_duration_s * 1e9 / call_ns)) if call_ns > 0 else read


@dataclass(frozen=True)
class TensorSpec:
    """One input as the runtime wants it, or one output as it yields it.

    `dtype` is numpy's name; `layout` is NHWC or NCHW for four-dimensional tensors, else None. `mean` and
    `std` are what the model normalises an input by itself; None where it does not.
    """

    name: str
    shape: List[int]
    dtype: str
    layout: Optional[str] = None
    mean: Optional[List[float]] = None
    std: Optional[List[float]] = None


@dataclass(frozen=True)
class PredictedRun:
    """What the host's model of the NPU predicts of `rknn_run`, for a runtime without an NPU.

    `run_ns` is the latency on one core, on two, on three, as far as the file has tasks for so many; `terms`
    are the sums over one core's tasks that its coefficients belong to: seconds of roofline, memory and
    tables, and the number of tasks. `profile` is a table of layers as librknnrt prints it; "": not asked for.
    """

    run_ns: List[int]
    terms: List[float] = field(default_factory=list)
    profile: str = ""


@dataclass(frozen=True)
class FileFigures:
    """What a file says of what it will need on the NPU: bytes of weights and of internal tensors, tasks.

    `predicted` is only told of runs on virtual boards.
    """

    npu_weight_bytes: Optional[int] = None
    npu_internal_bytes: Optional[int] = None
    npu_tasks: Optional[int] = None
    predicted: Optional[PredictedRun] = None


@dataclass(frozen=True)
class RunSpec:
    """One variant in a plan. `model`, `golden` and `replay` are digests in the cache.

    `core_mask` holds the cores of this run, where they are not the plan's. `classes`: the golden says that
    its outputs are scores of classes. `returned_bytes`: so many bytes of outputs, those of all cases as
    float32, are to come back; 0: none.
    """

    run: str
    name: str
    model: str
    size_bytes: int
    inputs: List[TensorSpec]
    outputs: List[TensorSpec]
    golden: Optional[str] = None
    replay: Optional[str] = None
    figures: FileFigures = FileFigures()
    core_mask: Optional[str] = None
    classes: bool = False
    returned_bytes: int = 0


@dataclass(frozen=True)
class Plan:
    """What to run and how; answered by the stream that ends with `Done`.

    The agent goes on until the host says `Enough` of a run, or to the end that `settings` state.
    `owner` and `reason` say who holds the board and what for.
    """

    runs: List[RunSpec]
    settings: RunSettings = field(default_factory=RunSettings)
    reading_interval_s: float = 0.5
    lock_wait_s: float = 0.0
    owner: str = ""
    reason: str = ""
    #: Of those who wait for the board the highest comes first.
    priority: int = 0
    #: Load also what will not fit into the board's memory.
    force: bool = False
    #: Scenario `interference`: the model that every run has beside it. Its `run` is nobody's.
    other: Optional[RunSpec] = None
