"""How long an agent that is alive is waited for: its beats say that it lives, not that its runs go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from rkbench_agent.wire.board import Reading
from rkbench_agent.wire.messages import Beat, Log, Message, Progress
from rkbench_agent.wire.plan import Plan, RunSettings
from rkbench_agent.wire.words import INFERENCE, INTERFERENCE, OFFLINE, SERVER, STAGES, WARMUP

from rkbench.files import LocalFile

#: An answer that needs a look at the board or its disk alone, or the start of Python from a slow SD card.
#: What a plan states comes on top.
ANSWER_LIMIT_S = 60.0
#: A slow SD card is read so fast: an agent verifies what it says to have.
READ_BYTES_PER_S = 10e6
#: A golden may have so many cases that take the longest an inference may.
GOLDEN_CASES = 100
#: A search for a rate has no more steps.
MOST_TRIES = 16


class Patience:
    """Until when a plan is waited for: for its next step, and for its end, both generously."""

    def __init__(
        self, plan: Plan, answer_limit_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self.step_limit_s = answer_limit_s + step_limit_s(plan)
        self.total_limit_s = answer_limit_s + total_limit_s(plan)
        self._start = self._heard_at = clock()
        self._runs = {spec.run for spec in plan.runs}
        self._shares: dict[tuple[str, str], float] = {}

    @property
    def deadline_s(self) -> float:
        """The end of the patience, on the clock."""
        return min(self._heard_at + self.step_limit_s, self._start + self.total_limit_s)

    def hear(self, message: Message) -> None:
        """Take a message into account.

        Beats, samples of the sensors and log lines are no step of a run, nor is a progress that is not
        farther than any that was told before.
        """
        if isinstance(message, (Beat, Reading, Log)):
            return
        if not isinstance(message, Progress) or self._moves(message):
            self._heard_at = self._clock()

    def _moves(self, progress: Progress) -> bool:
        """Return whether a run of the plan is farther within a stage than it ever was."""
        if progress.run not in self._runs or progress.stage not in STAGES or progress.total <= 0:
            return False
        key, share = (progress.run, progress.stage), progress.done / progress.total
        if share <= self._shares.get(key, 0.0):
            return False
        self._shares[key] = share
        if progress.stage == INFERENCE:
            self._shares.pop((progress.run, WARMUP), None)  # where blocks load anew, each warms up again
        return True


def have_limit_s(files: Sequence[LocalFile], answer_limit_s: float) -> float:
    """Return how long the agent may take to say which of `files` it has: it reads those to their end."""
    return answer_limit_s + sum(file.size_bytes for file in files) / READ_BYTES_PER_S


def step_limit_s(plan: Plan) -> float:
    """Return how long may pass between two steps of a run: the agent itself ends what takes longer."""
    settings = plan.settings
    return (
        plan.lock_wait_s
        + settings.calm_limit_s
        + _cool_s(settings)
        + settings.load_timeout_s
        + settings.first_inference_timeout_s
        + settings.inference_timeout_s
    )


def total_limit_s(plan: Plan) -> float:
    """Return how long a plan may take in all, if every single step took the longest that it may."""
    in_turns = plan.settings.interleave and len(plan.runs) > 1
    return plan.lock_wait_s + 2 * len(plan.runs) * _run_limit_s(plan.settings, in_turns)


def _run_limit_s(settings: RunSettings, in_turns: bool) -> float:
    blocks = settings.min_blocks
    if in_turns:
        blocks = max(blocks, 2 * (settings.loads or 1) * (settings.quads or 1))
    loads = 2 + settings.load_cycles + settings.profile + blocks * in_turns  # each may load anew
    load_s = loads * (settings.load_timeout_s + settings.first_inference_timeout_s)
    block = settings.block_iterations + in_turns * (settings.unread_iterations + settings.warmup_iterations)
    counted = settings.warmup_iterations + settings.min_iterations + blocks * block
    inference_s = (counted + GOLDEN_CASES) * settings.inference_timeout_s
    alone_s = _cool_s(settings) + settings.calm_limit_s + load_s + inference_s + settings.min_duration_s
    return alone_s + _offline_s(settings)


def _offline_s(settings: RunSettings) -> float:
    """Return how long the steps of an offline run or a server may take; contexts load one by one."""
    if settings.scenario == INTERFERENCE:
        return _interference_s(settings)
    if settings.scenario not in (OFFLINE, SERVER):
        return 0.0
    tries = MOST_TRIES if settings.find_rate else 1
    steps = tries * len(settings.contexts) * len(settings.placements)
    load_s = settings.load_timeout_s + settings.first_inference_timeout_s
    loads_s = len(settings.placements) * max(settings.contexts, default=0) * load_s
    calls_s = (settings.min_iterations + settings.warmup_iterations) * settings.inference_timeout_s
    return loads_s + steps * (calls_s + settings.min_duration_s)


def _interference_s(settings: RunSettings) -> float:
    """Return the same of two models that load together in each placement: alone, both, and both looked at."""
    load_s = 2 * (settings.load_timeout_s + settings.first_inference_timeout_s)
    calls_s = (4 * settings.min_iterations + 2 * settings.warmup_iterations) * settings.inference_timeout_s
    return len(settings.placements) * (load_s + 2 * calls_s + 4 * settings.min_duration_s)


def _cool_s(settings: RunSettings) -> float:
    return settings.cool_limit_s if settings.cool_below_celsius is not None else 0.0
