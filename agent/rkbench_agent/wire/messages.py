"""The messages between host and agent: flat dataclasses.

Times are integers in nanoseconds; `*_ns` instants are of the board's CLOCK_MONOTONIC, except `unix_ns`.
Unknown is None, never 0. Fields that come later have defaults: a decoder ignores what it does not know, so
that host and agent of neighbouring versions still talk.

The agent's first line is a `Hello` that carries `MAGIC`; whatever a login shell prints before it is
skipped. Then the host asks (`Want`, `KeepBoard`, `Plan`, `Enough`, `TryRate`, `Cancel`; every other
message is the agent's), and both sides send a `Beat` every `BEAT_INTERVAL_S`; a side that hears nothing for
`SILENCE_LIMIT_S` takes the other for dead.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, List, Optional, Union

from rkbench_agent.wire.board import Environment, Pinning, Reading
from rkbench_agent.wire.caveats import Caveat
from rkbench_agent.wire.outputs import OutputCheck, OutputError, OutputParts, OutputSuspect, OutputValues
from rkbench_agent.wire.plan import Plan
from rkbench_agent.wire.provenance import Provenance
from rkbench_agent.wire.scenario_messages import (
    InterferenceOutputs,
    InterferenceRound,
    OfflineStep,
    ServerStep,
    SoakWindow,
    TryRate,
)
from rkbench_agent.wire.words import MEASURED, SILENCE_LIMIT_S


@dataclass(frozen=True)
class Want:
    """Which of these digests (SHA-256, hex) are in the cache? Answered by `Have`."""

    digests: List[str]


@dataclass(frozen=True)
class KeepBoard:
    """Keep the board from now on, also between plans, while nobody else waits for it. Not answered."""

    owner: str
    reason: str = ""


@dataclass(frozen=True)
class Enough:
    """Enough is known of a run: its timed part ends with the block that is under way."""

    run: str


@dataclass(frozen=True)
class Cancel:
    """Stop, clean up, and end with `Done`."""


@dataclass(frozen=True)
class Beat:
    """I am alive (both directions)."""


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
class Have:
    """Answer to `Want`: digests that are complete, bytes received of partial ones, and the room."""

    digests: List[str]
    partial: Dict[str, int]
    free_bytes: int
    cache_dir: str
    caveats: List[Caveat] = field(default_factory=list)


@dataclass(frozen=True)
class BoardCaveat:
    """What the agent doubts of the board as a whole: it goes with every run from here on."""

    caveat: Caveat


@dataclass(frozen=True)
class Locked:
    """Another push holds the board; the agent goes on waiting for `remaining_s` seconds, as number `place` of
    `among` who wait (0: it does not know)."""

    owner: str
    since_unix_ns: Optional[int]
    remaining_s: float
    reason: str = ""
    place: int = 0
    among: int = 0


@dataclass(frozen=True)
class Progress:
    """Where a run stands: `done` of `total` (iterations, cases or seconds, as `unit` says).

    `detail` says more where there is more to say: who is waited for.
    """

    run: str
    stage: str
    done: float
    total: float
    unit: str
    detail: str = ""


@dataclass(frozen=True)
class Latencies:
    """A batch of timed iterations, in order; all lists have one length.

    `load` numbers the loads in which the runs of a push take turns, from 0; the first `unread` iterations
    of the batch follow a switch and count for nothing. `duration_ns` is the whole call. Stages are None
    where the runtime does not tell them apart; `run_ns` is then the runtime's own figure of the NPU run
    where it gives one; `device_ns` is that figure beside a `run_ns` that is the wall clock of the call
    (`capi`).
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
    load: int = 0
    unread: int = 0


@dataclass(frozen=True)
class LoadMemory:
    """Memory at the end of one phase (see PHASES); `duration_ns` is how long the phase took.

    `load` numbers the loads of the run from 0, the one that has the board to itself. `rss_anon_bytes`,
    `rss_file_bytes` and `rss_shmem_bytes` are what `rss_bytes` is made of, as far as the kernel tells;
    `sram_bytes` is what the runtime says is in use of the NPU's SRAM.
    """

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
    rss_anon_bytes: Optional[int] = None
    rss_file_bytes: Optional[int] = None
    rss_shmem_bytes: Optional[int] = None
    sram_bytes: Optional[int] = None
    load: int = 0


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
class ProfileText:
    """The runtime's own table of the time of each layer, as it prints it, from a run of its own."""

    run: str
    runtime: str
    text: str
    #: Where its times come from.
    provenance: str = MEASURED


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
    """A run is complete.

    `growth_bytes`: by how much its process grew within the timed block in which it grew most, which had
    `growth_iterations`; Python's collector rests meanwhile.
    """

    run: str
    iterations: int
    provenance: Provenance
    caveats: List[Caveat] = field(default_factory=list)
    growth_bytes: Optional[int] = None
    growth_iterations: Optional[int] = None


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
    """The plan is over, all workers are gone, the lock is released (but see `KeepBoard`)."""


Message = Union[
    Want,
    KeepBoard,
    Plan,
    Enough,
    TryRate,
    Cancel,
    Beat,
    Hello,
    Environment,
    Have,
    BoardCaveat,
    Locked,
    Pinning,
    Progress,
    Reading,
    Latencies,
    LoadMemory,
    LoadCycle,
    OfflineStep,
    ServerStep,
    SoakWindow,
    InterferenceRound,
    InterferenceOutputs,
    ProfileText,
    OutputError,
    OutputCheck,
    OutputParts,
    OutputSuspect,
    OutputValues,
    Log,
    Finished,
    Failed,
    Refused,
    Done,
]
