"""Protocol messages of a push, folded into one result per run: no clock, disk or network.

A `Collector` takes every message of a plan, in order, and yields the result of a run whenever asked:
after its `Finished` or `Failed`, or early, when the line was cut or the user pressed Ctrl-C.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from rkbench_agent.wire.board import Environment, Pinning, Reading
from rkbench_agent.wire.caveats import INFORMATION, Caveat
from rkbench_agent.wire.messages import (
    BoardCaveat,
    Failed,
    Finished,
    Latencies,
    LoadCycle,
    LoadMemory,
    Log,
    Message,
    ProfileText,
)
from rkbench_agent.wire.outputs import OutputCheck, OutputError, OutputParts, OutputSuspect
from rkbench_agent.wire.scenario_messages import (
    InterferenceOutputs,
    InterferenceRound,
    OfflineStep,
    ServerStep,
    SoakWindow,
)
from rkbench_agent.wire.words import INTERRUPTED, SINGLE_STREAM, SOAK

from rkbench.catalogue import BoardState, state_of_board
from rkbench.results import parts
from rkbench.results.caveats import caveats_of, verdict_of
from rkbench.results.caveats.rule import Evidence
from rkbench.results.diagnosis import diagnosed, log_caveats
from rkbench.results.environment import update_record
from rkbench.results.extras import PinRecord, Profile
from rkbench.results.latencies import RawLatencies
from rkbench.results.loads import load
from rkbench.results.model import FAILED, STOPPED, Failure, RunResult, Verdict
from rkbench.results.outputs import outputs
from rkbench.results.plausibility import implausible, reference_of
from rkbench.results.profile import read_profile
from rkbench.results.readings import split_readings, summarize_readings
from rkbench.results.soak import SoakFold
from rkbench.results.told import StepMessages, told_of

LOG_TAIL_LINES = 20


@dataclass(frozen=True)
class Collected:
    """One run: its result, and the raw latencies and sensor readings that it was made of."""

    run: RunResult
    latencies: RawLatencies
    readings: tuple[Reading, ...]


@dataclass
class _Run:
    header: RunResult
    latencies: RawLatencies = field(default_factory=RawLatencies)
    memory: list[LoadMemory] = field(default_factory=list)
    cycles: list[LoadCycle] = field(default_factory=list)
    profile: ProfileText | None = None
    steps: StepMessages = field(default_factory=StepMessages)
    soak: SoakFold = field(default_factory=SoakFold)
    errors: list[OutputError] = field(default_factory=list)
    checks: list[OutputCheck] = field(default_factory=list)
    output_parts: list[OutputParts] = field(default_factory=list)
    suspects: list[OutputSuspect] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    board_caveats: dict[str, Caveat] = field(default_factory=dict)
    end: Finished | Failed | None = None


class Collector:
    """Folds messages. `headers` are what is known of each run before it starts, in plan order."""

    def __init__(self, headers: Iterable[RunResult]) -> None:
        self._runs = {header.id: _Run(header) for header in headers}
        self._readings: list[Reading] = []
        self._readings_before = 0
        self._conditions: PinRecord | None = None
        self._started = False
        self._state = BoardState()

    def add(self, message: Message) -> str | None:
        """Take one message; returns the id of the run that it ended, if it ended one."""
        if isinstance(message, Reading):
            self._readings.append(message)
            self._readings_before += not self._started
            return None
        if isinstance(message, Pinning):
            self._conditions = _pin_record(message)
            return None
        if isinstance(message, BoardCaveat):
            for run in self._unended():
                run.board_caveats[message.caveat.code] = message.caveat
            return None
        if isinstance(message, Environment):
            self._state = state_of_board(message).or_else(self._state)
            for run in self._runs.values():
                board = update_record(run.header.board, message)
                simulated = run.header.simulated or message.simulated
                run.header = replace(run.header, board=board, simulated=simulated)
            return None
        folded = self._runs.get(getattr(message, "run", None) or "")
        if folded is None or folded.end is not None:
            return None  # what is said of a run after its end changes nothing any more
        self._started = True
        _fold(folded, message)
        return folded.header.id if folded.end is not None else None

    def unfinished(self) -> list[str]:
        """Return the ids of the runs that neither finished nor failed, in plan order."""
        return [run.header.id for run in self._unended()]

    def _unended(self) -> list[_Run]:
        return [run for run in self._runs.values() if run.end is None]

    def result(self, run_id: str, failure: Failure | None = None) -> Collected:
        """Return what run `run_id` yielded so far; `failure` says why it ended where the agent did not."""
        run = self._runs[run_id]
        if isinstance(run.end, Failed):
            failure = _failure(run.end)
        if failure is not None and not failure.log_tail:
            failure = replace(failure, log_tail=tuple(run.log[-LOG_TAIL_LINES:]))
        if failure is not None:
            failure = diagnosed(failure, run.log, self._state)
        inside, readings = split_readings(self._readings, run.latencies)
        before = self._readings[: self._readings_before]
        provenance = run.end.provenance if isinstance(run.end, Finished) else None
        told = told_of(run.header.plan, run.steps, run.latencies, self._readings)
        result = replace(
            run.header,
            partial=failure is not None,
            provenance=parts.provenance(provenance, run.header, run, readings),
            load=load(run.memory, run.cycles),
            latency=told.latency,
            throughput_per_s=told.rate_per_s,
            offline=told.offline,
            server=told.server,
            soak=run.soak.result(),
            interference=told.interference,
            growth_bytes=run.end.growth_bytes if isinstance(run.end, Finished) else None,
            growth_iterations=run.end.growth_iterations if isinstance(run.end, Finished) else None,
            outputs=outputs(run.errors, run.checks, run.output_parts, run.suspects),
            readings=summarize_readings(inside, readings, before),
            conditions=self._conditions,
            profile=_profile(run.profile) if run.profile else None,
            failure=failure,
        )
        others = [
            each for each in self._runs.values() if each is not run and not isinstance(each.end, Failed)
        ]
        evidence = Evidence(run.latencies, tuple(readings), tuple(each.latencies for each in others))
        found = _all_caveats(run, result, evidence, self._state)
        reference = reference_of(result)
        found += tuple(implausible(replace(result, caveats=found), reference))
        verdict = _verdict_of_failure(failure) if failure is not None else verdict_of(found)
        return Collected(
            replace(result, reference=reference, caveats=found, verdict=verdict),
            run.latencies,
            tuple(readings),
        )


def _profile(told: ProfileText) -> Profile:
    return read_profile(told.runtime, told.text, told.provenance)


def _verdict_of_failure(failure: Failure) -> Verdict:
    return STOPPED if failure.reason == INTERRUPTED else FAILED


def _pin_record(message: Pinning) -> PinRecord:
    settings, cpus = dict(message.settings), tuple(message.big_cpus)
    return PinRecord(message.pinned, settings, cpus, message.message, tuple(message.clocks))


def _fold(run: _Run, message: Message) -> None:
    if isinstance(message, Latencies) and run.header.plan.scenario == SOAK:
        run.soak.add(message)
    elif isinstance(message, SoakWindow):
        run.soak.end_window(message)
        run.latencies = run.soak.raw
    elif isinstance(message, Latencies):
        run.latencies.append(message)
    elif isinstance(message, LoadMemory):
        run.memory.append(message)
    elif isinstance(message, LoadCycle):
        run.cycles.append(message)
    elif isinstance(message, ProfileText):
        run.profile = message
    elif isinstance(message, OfflineStep):
        run.steps.offline.append(message)
    elif isinstance(message, ServerStep):
        run.steps.server.append(message)
    elif isinstance(message, InterferenceRound):
        run.steps.rounds.append(message)
    elif isinstance(message, InterferenceOutputs):
        run.steps.beside.append(message)
    elif isinstance(message, OutputError):
        run.errors.append(message)
    elif isinstance(message, OutputCheck):
        run.checks.append(message)
    elif isinstance(message, OutputParts):
        run.output_parts.append(message)
    elif isinstance(message, OutputSuspect):
        run.suspects.append(message)
    elif isinstance(message, Log):
        run.log.append(message.text)
    elif isinstance(message, (Finished, Failed)):
        run.end = message


def _failure(failed: Failed) -> Failure:
    return Failure(
        stage=failed.stage,
        reason=failed.reason,
        message=failed.message,
        advice=failed.advice,
        signal=failed.signal,
        exit_code=failed.exit_code,
        log_tail=tuple(failed.log_tail),
    )


def _all_caveats(run: _Run, result: RunResult, evidence: Evidence, state: BoardState) -> tuple[Caveat, ...]:
    """Return what is known before the run, what the result shows, and what the agent and the log say."""
    # Calls that wait for each other vary by nature: their spread says nothing of the board.
    alone = result.plan.scenario == SINGLE_STREAM
    latencies = evidence.latencies if alone else RawLatencies()
    seen = replace(result, caveats=(*run.header.caveats, *_agent_caveats(run.end)))
    found = run.header.caveats + caveats_of(seen, latencies, evidence.readings, evidence.beside)
    known = {caveat.code for caveat in run.header.caveats}
    told = [_weighed(each, result) for each in (*run.board_caveats.values(), *_agent_caveats(run.end))]
    if any(caveat.code == "background_load" for caveat in told):
        # It says the same, and how long it was waited for.
        found = tuple(caveat for caveat in found if caveat.code != "npu_busy")
    found += tuple(caveat for caveat in told if caveat.code not in known)
    return found + (log_caveats(run.log, found, state) if isinstance(run.end, Finished) else ())


def _weighed(told: Caveat, result: RunResult) -> Caveat:
    """Return what the agent doubts, with what it means here.

    Clocks that were left so do not touch a run that holds its own, and the CPUs that a virtual board's worker
    is placed on are this computer's.
    """
    held = result.conditions is not None and result.conditions.pinned
    harmless = (held and told.code == "clocks_not_restored") or (
        result.simulated and told.code == "not_on_big_cores"
    )
    return replace(told, weight=INFORMATION) if harmless else told


def _agent_caveats(end: Finished | Failed | None) -> tuple[Caveat, ...]:
    if not isinstance(end, Finished):
        return ()
    return tuple(end.caveats)
