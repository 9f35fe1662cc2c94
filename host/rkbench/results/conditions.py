"""The table of conditions: what must be alike to compare two runs, and what is named where it differs.

A push compares variants, so their files differ by intent; a night compares one model over time, so a new
file or toolkit is news, and other cores or another runtime are another experiment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from rkbench_agent.wire.words import SERVER

from rkbench.results.model import DDR_CLOCK, NPU_CLOCK, STOPPED, RunResult
from rkbench.units import format_hertz


class Effect(Enum):
    """What a difference does: nothing, it is named, or it forbids to compare."""

    NONE = 0
    NAMED = 1
    FORBIDS = 2


def _word(value: object) -> object:
    """Return a value as sentences have it."""
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value


@dataclass(frozen=True)
class Condition:
    """One condition of a run. `of_board`: of the board and its software, not of the model or of rkbench.

    `of_noise`: a noise floor holds only where it is alike (see `noise_floor`). `of_file`: it is that of the
    model's file, which may be what two pushes are about.
    `name` is what the JSON of a push calls it, `night_name` that of a night, where it has another.
    """

    name: str
    value: Callable[[RunResult], object]
    push: Effect = Effect.NONE
    night: Effect = Effect.NONE
    night_name: str = ""
    of_board: bool = False
    of_noise: bool = False
    of_file: bool = False

    def differs(self, base: RunResult, run: RunResult) -> bool:
        """Return whether the runs differ in it."""
        return self.value(base) != self.value(run)

    def reason(self, base: RunResult, run: RunResult) -> str:
        """Return in words why it forbids to compare."""
        ours, theirs = _word(self.value(run)), _word(self.value(base))
        return f"{self.night_name or self.name} differs: {ours}, baseline {theirs}"


def _highest_clock(run: RunResult, quantity: str) -> str | None:
    """Return the highest clock while a run was timed; its lowest depends on when it was read."""
    clocks = [sensor.max for sensor in run.readings.of(quantity)] if run.readings else []
    return format_hertz(max(clocks)) if clocks else None


def _of_server(run: RunResult, value: object) -> object:
    """Return what decides how long a server's queue is; None of other scenarios, which have none."""
    return (value or None) if run.plan.scenario == SERVER else None


CORE_MASK = Condition(
    "core_mask",
    lambda run: run.plan.core_mask,
    Effect.NAMED,
    Effect.FORBIDS,
    night_name="core mask",
    of_noise=True,
)
#: In the order in which they are named.
CONDITIONS = (
    Condition("simulated", lambda run: run.simulated, Effect.FORBIDS, Effect.FORBIDS, of_noise=True),
    Condition("board", lambda run: run.board.name, Effect.FORBIDS, Effect.FORBIDS),
    Condition("SoC", lambda run: run.board.soc, Effect.FORBIDS, Effect.FORBIDS),
    Condition("scenario", lambda run: run.plan.scenario, Effect.FORBIDS, Effect.FORBIDS),
    Condition(
        "other model", lambda run: (run.plan.other_sha256 or "none")[:12], Effect.FORBIDS, Effect.FORBIDS
    ),
    Condition("rate", lambda run: _of_server(run, run.plan.rate_per_s), Effect.FORBIDS, Effect.FORBIDS),
    Condition("objective", lambda run: _of_server(run, run.plan.slo), Effect.FORBIDS, Effect.FORBIDS),
    Condition("contexts", lambda run: _of_server(run, run.plan.contexts), Effect.FORBIDS, Effect.FORBIDS),
    Condition("placement", lambda run: _of_server(run, run.plan.placements), Effect.FORBIDS, Effect.FORBIDS),
    Condition("model", lambda run: run.variant.sha256[:12], night=Effect.NAMED, of_file=True),
    Condition("toolkit", lambda run: run.variant.toolkit_version, night=Effect.NAMED, of_file=True),
    Condition("golden", lambda run: (run.plan.golden_sha256 or "none")[:12], night=Effect.NAMED),
    Condition(
        "latency_provenance",
        lambda run: run.provenance.latency,
        Effect.NAMED,
        Effect.NAMED,
        "source of the latency",
        of_board=True,
    ),
    Condition("outputs_provenance", lambda run: run.provenance.outputs, Effect.NAMED),
    Condition("runtime", lambda run: run.board.runtime, Effect.NAMED),
    Condition(
        "runtime_version",
        lambda run: run.board.runtime_version,
        Effect.NAMED,
        Effect.NAMED,
        "runtime",
        of_board=True,
        of_noise=True,
    ),
    Condition(
        "driver_version",
        lambda run: run.board.driver_version,
        Effect.NAMED,
        Effect.NAMED,
        "driver",
        of_board=True,
        of_noise=True,
    ),
    Condition(
        "kernel", lambda run: run.board.kernel, Effect.NAMED, Effect.NAMED, of_board=True, of_noise=True
    ),
    CORE_MASK,
    Condition("runtime", lambda run: run.plan.runtime, night=Effect.FORBIDS, of_noise=True),
    Condition("pinned", lambda run: run.plan.pin, of_noise=True),
    Condition(
        "npu_governor",
        lambda run: run.board.npu_governor,
        Effect.NAMED,
        Effect.NAMED,
        "governor",
        of_board=True,
        of_noise=True,
    ),
    Condition("npu_clock_hz", lambda run: run.board.npu_clock_hz, Effect.NAMED),
    Condition(
        "NPU clock",
        lambda run: _highest_clock(run, NPU_CLOCK),
        night=Effect.NAMED,
        of_board=True,
        of_noise=True,
    ),
    Condition(
        "DDR clock",
        lambda run: _highest_clock(run, DDR_CLOCK),
        night=Effect.NAMED,
        of_board=True,
        of_noise=True,
    ),
    Condition("agent_digest", lambda run: run.board.agent_digest, Effect.NAMED),
    Condition("agent", lambda run: (run.board.agent_digest or "")[:12] or None, night=Effect.NAMED),
    Condition("golden", lambda run: run.plan.golden_sha256 is not None, Effect.NAMED),
)


def refusals(base: RunResult, run: RunResult) -> tuple[str, ...]:
    """Return why `run` may not be held against `base` in a push; empty where it may.

    What Ctrl-C ended is compared as far as it goes: every round of turns is whole by itself.
    """
    both_stopped = base.verdict == run.verdict == STOPPED
    ends = [] if both_stopped else _early_ends(base, run)
    return (*_forbidden(base, run, lambda condition: condition.push), *ends)


def night_refusals(base: RunResult, run: RunResult) -> tuple[str, ...]:
    """Return why `run` may not be held against the accepted run of a night; empty where it may."""
    return (*_forbidden(base, run, lambda condition: condition.night), *_early_ends(base, run))


def noise_conditions(run: RunResult) -> dict[str, str | None]:
    """Return under what a noise floor holds, by name: cores, runtime, driver, governor, clocks."""
    values = {item.name: item.value(run) for item in CONDITIONS if item.of_noise}
    return {name: None if value is None else str(value) for name, value in values.items()}


def is_of_other_conditions(base: RunResult, run: RunResult) -> bool:
    """Return whether a condition, and not an early end, forbids to compare the runs of a push."""
    return any(item.push is Effect.FORBIDS and item.differs(base, run) for item in CONDITIONS)


def differing_apart(base: RunResult, run: RunResult) -> list[Condition]:
    """Return the conditions that differ and forbid nothing, of runs of different pushes; each word once.

    What a push holds still by itself may have changed since: what a night or a noise floor asks for counts.
    """
    named = [
        item
        for item in CONDITIONS
        if Effect.FORBIDS is not item.push
        and (item.push is Effect.NAMED or item.night is not Effect.NONE or item.of_noise)
        and item.differs(base, run)
    ]
    words: dict[str, Condition] = {}
    for item in sorted(named, key=lambda item: item.night is Effect.NONE):
        words.setdefault(_SAME_MATTER.get(item.name, item.name), item)
    return [item for item in named if item in words.values()]


#: Conditions that a night and a push look at in different ways: told once.
_SAME_MATTER = {"agent_digest": "agent"}


def _forbidden(base: RunResult, run: RunResult, effect: Callable[[Condition], Effect]) -> list[str]:
    return [
        item.reason(base, run)
        for item in CONDITIONS
        if effect(item) is Effect.FORBIDS and item.differs(base, run)
    ]


def _early_ends(base: RunResult, run: RunResult) -> list[str]:
    ends = (("the run", run.failure), ("the baseline", base.failure))
    return [f"{which} ended early, in stage {failure.stage}" for which, failure in ends if failure]
