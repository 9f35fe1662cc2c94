"""The messages between host and agent: one JSON object a line, in both directions.

The only module of the agent that the host imports. A message is a flat dataclass; on the wire its
fields stand beside `"type"`. The decoder ignores fields it does not know (a newer peer), and raises
`WireError` on an unknown type or a missing field. Times are integers in nanoseconds; `*_ns` instants
are of the board's CLOCK_MONOTONIC, except `unix_ns`. Unknown is None, never 0.

The agent's first line is a `Hello` that carries `MAGIC`; whatever a login shell prints before it is
skipped. Then the host asks (`Want`, `Plan`, `Cancel`) and both sides send a `Beat` every
`BEAT_INTERVAL_S`; a side that hears nothing for `SILENCE_LIMIT_S` takes the other for dead.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Type, Union

from rkbench_agent import limits

PROTOCOL = 1
MAGIC = "rkbench-agent"
BEAT_INTERVAL_S = limits.BEAT_INTERVAL_S
SILENCE_LIMIT_S = limits.SILENCE_LIMIT_S

#: Phases of load memory, in order.
PHASES = ("before", "model_read", "runtime_initialised", "first_inference", "steady", "released")
#: Stages in which a run can fail.
STAGES = ("start", "load", "first_inference", "golden", "warmup", "inference", "release", "connection")
#: Words for why a run failed.
REASONS = (
    "runtime_error",  # the runtime refused or returned an error
    "crash",  # the worker died by a signal or an unexpected exit
    "hang",  # a stage took longer than its limit
    "out_of_memory",  # the kernel killed the worker for memory, or an allocation failed
    "missing",  # Python, numpy, rknnlite or librknnrt is not there
    "bad_input",  # the golden or the plan does not fit
    "cancelled",  # the host said so, or its end of the line is gone
)


class WireError(Exception):
    """A line is no message of this protocol."""


# -- host to agent --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Want:
    """Which of these digests (SHA-256, hex) are in the cache? Answered by `Have`."""

    digests: List[str]


@dataclass(frozen=True)
class Plan:
    """What to run and how; answered by the stream that ends with `Done`.

    `runs` holds `RunSpec`s as plain dicts (`RunSpec.from_wire`). A block is `block_iterations` timed
    iterations; with `interleave` the runs take turns block by block in the order A B B A. A run is
    over when it has at least `min_iterations` *and* `min_duration_s` of timed iterations, or
    `max_duration_s` (0: no limit).
    """

    runs: List[Dict[str, Any]]
    runtime: str = "lite"
    core_mask: str = "auto"
    warmup_iterations: int = 5
    min_iterations: int = 100
    min_duration_s: float = 3.0
    max_duration_s: float = 0.0
    block_iterations: int = 50
    interleave: bool = True
    reading_interval_s: float = 0.5
    load_timeout_s: float = 120.0
    first_inference_timeout_s: float = 60.0
    inference_timeout_s: float = 30.0
    lock_wait_s: float = 0.0
    owner: str = ""
    #: What the board is held for, for others to read.
    reason: str = ""
    #: Hold the clocks still, the NPU at `npu_clock_hz` (None: its highest), the worker on the big cores.
    pin: bool = False
    npu_clock_hz: Optional[int] = None
    #: Wait before each run until every thermal zone is below; at most `cool_limit_s`.
    cool_below_celsius: Optional[float] = None
    cool_limit_s: float = 300.0
    #: Wait at most so long before each run while others load CPU or NPU; 0: do not look.
    calm_limit_s: float = 0.0
    #: Load and release so many times in a worker of its own, after the clean run; 0: not at all.
    load_cycles: int = 0
    #: Collect the time of each layer in a worker of its own, after the clean run.
    profile: bool = False
    #: Load also what will not fit into the board's memory.
    force: bool = False


@dataclass(frozen=True)
class Cancel:
    """Stop, clean up, and end with `Done`."""


@dataclass(frozen=True)
class Beat:
    """I am alive (both directions)."""


# -- agent to host --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hello:
    """The first line: who speaks. `digest` is the SHA-256 of the running zipapp.

    `silence_limit_s` is how long this agent waits for a word: the host beats well within it.
    """

    magic: str
    protocol: int
    digest: str
    agent_version: str
    python_version: str
    pid: int
    unix_ns: int
    silence_limit_s: float = SILENCE_LIMIT_S


@dataclass(frozen=True)
class Environment:
    """What the board is, read once before a plan. Everything that cannot be read is None."""

    soc: Optional[str] = None
    board_model: Optional[str] = None
    compatible: Optional[List[str]] = None
    kernel: Optional[str] = None
    architecture: Optional[str] = None
    driver_version: Optional[str] = None
    runtime: Optional[str] = None
    runtime_version: Optional[str] = None
    runtime_path: Optional[str] = None
    lite_version: Optional[str] = None
    numpy_version: Optional[str] = None
    psutil_version: Optional[str] = None
    python_version: Optional[str] = None
    npu_cores: Optional[int] = None
    npu_governor: Optional[str] = None
    npu_clock_hz: Optional[int] = None
    npu_max_clock_hz: Optional[int] = None
    ddr_governor: Optional[str] = None
    ddr_clock_hz: Optional[int] = None
    cpu_governors: Optional[Dict[str, str]] = None
    cpu_count: Optional[int] = None
    memory_total_bytes: Optional[int] = None
    memory_available_bytes: Optional[int] = None
    user: Optional[str] = None
    is_root: Optional[bool] = None
    unix_ns: Optional[int] = None
    boot_id: Optional[str] = None
    simulated: bool = False
    #: What only the doctor asks for: see inspection.py, which says what the dicts hold.
    modules: Optional[Dict[str, bool]] = None
    libraries: Optional[List[Dict[str, Any]]] = None
    elf_machine: Optional[str] = None
    device_nodes: Optional[List[Dict[str, Any]]] = None
    npu_driver: Optional[str] = None
    iommu: Optional[bool] = None
    cma_total_bytes: Optional[int] = None
    cma_free_bytes: Optional[int] = None
    governor_files: Optional[List[Dict[str, Any]]] = None
    sensors: Optional[Dict[str, bool]] = None
    kernel_log_readable: Optional[bool] = None
    cache_dir: Optional[str] = None
    cache_free_bytes: Optional[int] = None
    groups: Optional[List[str]] = None
    container_lacks: Optional[List[str]] = None
    #: Who runs a plan: owner, reason, since_unix_ns and until_unix_ns; None where nobody does.
    holder: Optional[Dict[str, Any]] = None


@dataclass(frozen=True)
class Have:
    """Answer to `Want`: digests that are complete, bytes received of partial ones, and the room."""

    digests: List[str]
    partial: Dict[str, int]
    free_bytes: int
    cache_dir: str


@dataclass(frozen=True)
class Locked:
    """Another push holds the board; the agent goes on waiting for `remaining_s` seconds."""

    owner: str
    since_unix_ns: Optional[int]
    remaining_s: float
    reason: str = ""


@dataclass(frozen=True)
class Conditions:
    """What was set for the measuring; sent once it is, and again when it was given back.

    `settings` maps paths of sysfs to what was written there. `big_cpus` are the CPUs that workers are
    placed on. `restored` is None as long as it is pinned. Without `pinned`, nothing was changed: `message`
    says why, `command` what would have set it.
    """

    pinned: bool
    settings: Dict[str, str] = field(default_factory=dict)
    big_cpus: List[int] = field(default_factory=list)
    message: str = ""
    command: str = ""
    restored: Optional[bool] = None


@dataclass(frozen=True)
class Progress:
    """Where a run stands: `done` of `total` (iterations, cases or seconds, as `unit` says)."""

    run: str
    stage: str
    done: float
    total: float
    unit: str


@dataclass(frozen=True)
class Reading:
    """One sample of the board's sensors. A sensor that cannot be read is None or left out."""

    time_ns: int
    npu_load_ratio: Optional[List[float]] = None
    npu_clock_hz: Optional[int] = None
    npu_governor: Optional[str] = None
    ddr_clock_hz: Optional[int] = None
    ddr_governor: Optional[str] = None
    ddr_load_ratio: Optional[float] = None
    cpu_clock_hz: Optional[Dict[str, int]] = None
    cpu_governors: Optional[Dict[str, str]] = None
    gpu_clock_hz: Optional[int] = None
    temperature_celsius: Optional[Dict[str, float]] = None
    cpu_load_ratio: Optional[float] = None
    memory_available_bytes: Optional[int] = None
    cma_free_bytes: Optional[int] = None


@dataclass(frozen=True)
class Latencies:
    """A batch of timed iterations, in order; all lists have one length.

    `duration_ns` is the whole call. Stages are None where the runtime does not tell them apart;
    `run_ns` is then the runtime's own figure of the NPU run where it gives one; `device_ns` is that
    figure beside a `run_ns` that is the wall clock of the call (`capi`).
    """

    run: str
    block: int
    warmup: bool
    start_ns: List[int]
    duration_ns: List[int]
    set_inputs_ns: Optional[List[int]] = None
    run_ns: Optional[List[int]] = None
    get_outputs_ns: Optional[List[int]] = None
    device_ns: Optional[List[int]] = None


@dataclass(frozen=True)
class LoadMemory:
    """Memory at the end of one phase (see PHASES); `duration_ns` is how long the phase took."""

    run: str
    phase: str
    duration_ns: Optional[int] = None
    rss_bytes: Optional[int] = None
    pss_bytes: Optional[int] = None
    peak_rss_bytes: Optional[int] = None
    memory_available_bytes: Optional[int] = None
    dma_buf_bytes: Optional[int] = None
    npu_weight_bytes: Optional[int] = None
    npu_internal_bytes: Optional[int] = None
    npu_total_bytes: Optional[int] = None


@dataclass(frozen=True)
class LoadCycle:
    """One load and release in a worker that does nothing else; memory is of after the release.

    `duration_ns` is reading the file and initialising; one inference lies between it and the release.
    """

    run: str
    cycle: int
    duration_ns: int
    release_ns: int
    rss_bytes: Optional[int] = None
    dma_buf_bytes: Optional[int] = None
    memory_available_bytes: Optional[int] = None


@dataclass(frozen=True)
class Profile:
    """The runtime's own table of the time of each layer, as it prints it, from a run of its own."""

    run: str
    runtime: str
    text: str


@dataclass(frozen=True)
class OutputError:
    """How far one output of one golden case is from what was expected.

    `cosine` is None where a norm is zero or a value is not finite; `snr_db` is None where the error
    is exactly zero (see `max_abs_error`) or not finite. `top1_agreement`/`top5_agreement` are None
    where the output is no class vector.
    """

    run: str
    case: int
    output: int
    name: str
    shape: List[int]
    dtype: str
    cosine: Optional[float] = None
    max_abs_error: Optional[float] = None
    mean_abs_error: Optional[float] = None
    mse: Optional[float] = None
    snr_db: Optional[float] = None
    top1_agreement: Optional[bool] = None
    top5_agreement: Optional[bool] = None
    nan_count: int = 0
    inf_count: int = 0


@dataclass(frozen=True)
class OutputCheck:
    """What all cases together say of one output: same input twice gave the same bytes; all values equal."""

    run: str
    output: int
    name: str
    deterministic: Optional[bool] = None
    constant: Optional[bool] = None


@dataclass(frozen=True)
class Log:
    """A line that the worker (`run`) or the agent itself (None) printed.

    `stream` is stdout, stderr, agent or kernel.
    """

    run: Optional[str]
    stream: str
    text: str
    time_ns: int


@dataclass(frozen=True)
class Finished:
    """A run is complete. `caveats` are dicts of code, message, advice."""

    run: str
    iterations: int
    provenance: Dict[str, Optional[str]]
    caveats: List[Dict[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Failed:
    """A run ended early; what it had measured has been sent before."""

    run: str
    stage: str
    reason: str
    message: str
    advice: str = ""
    signal: Optional[str] = None
    exit_code: Optional[int] = None
    log_tail: List[str] = field(default_factory=list)


@dataclass(frozen=True)
class Refused:
    """The plan as a whole cannot run: `reason` as in REASONS, or `busy`."""

    reason: str
    message: str
    advice: str = ""


@dataclass(frozen=True)
class Done:
    """The plan is over, all workers are gone, the lock is released."""


# -- parts of a plan ------------------------------------------------------------------------------


@dataclass(frozen=True)
class RunSpec:
    """One variant in a plan.

    `inputs` and `outputs` are dicts {name, shape, dtype, layout} as the runtime wants and yields them
    (NHWC for four-dimensional inputs). `golden` and `replay` are digests in the cache. `figures` are
    what the host read in the file (npu_weight_bytes, npu_internal_bytes, npu_tasks): what it will need.
    """

    run: str
    name: str
    model: str
    size_bytes: int
    inputs: List[Dict[str, Any]]
    outputs: List[Dict[str, Any]]
    golden: Optional[str] = None
    replay: Optional[str] = None
    figures: Dict[str, Optional[int]] = field(default_factory=dict)
    #: The cores of this run, where they are not the plan's.
    core_mask: Optional[str] = None

    @classmethod
    def from_wire(cls, value: Dict[str, Any]) -> RunSpec:
        """Return the RunSpec of a dict out of `Plan.runs`; raises WireError."""
        spec: RunSpec = _build(cls, value)
        return spec

    def to_wire(self) -> Dict[str, Any]:
        """Return the dict that stands in `Plan.runs`."""
        return dict(vars(self))


Message = Union[
    Want,
    Plan,
    Cancel,
    Beat,
    Hello,
    Environment,
    Have,
    Locked,
    Conditions,
    Progress,
    Reading,
    Latencies,
    LoadMemory,
    LoadCycle,
    Profile,
    OutputError,
    OutputCheck,
    Log,
    Finished,
    Failed,
    Refused,
    Done,
]

_TYPES: Dict[str, Type[Any]] = {cls.__name__: cls for cls in Message.__args__}  # type: ignore[attr-defined]


def encode(message: Message) -> bytes:
    """Return `message` as one line. NaN and infinities become null: JSON has none."""
    value = {"type": type(message).__name__}
    value.update(vars(message))
    try:
        text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(value), separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8") + b"\n"


def decode(line: bytes) -> Message:
    """Return the message of one line; raises WireError."""
    try:
        value = json.loads(line.decode("utf-8"))
    except ValueError as error:
        raise WireError(f"not JSON: {line[:80]!r}") from error
    if not isinstance(value, dict):
        raise WireError(f"not an object: {line[:80]!r}")
    cls = _TYPES.get(value.pop("type", ""))
    if cls is None:
        raise WireError(f"unknown type: {line[:80]!r}")
    message: Message = _build(cls, value)
    return message


def _build(cls: Type[Any], value: Dict[str, Any]) -> Any:
    fields = {f.name: f for f in dataclasses.fields(cls)}
    missing = [
        name
        for name, f in fields.items()
        if name not in value and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise WireError(f"{cls.__name__} without {', '.join(missing)}")
    return cls(**{name: item for name, item in value.items() if name in fields})


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if value - value == 0.0 else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
