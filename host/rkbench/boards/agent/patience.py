"""How long an agent that is alive is waited for: its beats say that it lives, not that its runs go on."""

from __future__ import annotations

import time
from collections.abc import Callable

from rkbench_agent.wire.board import Reading
from rkbench_agent.wire.messages import Beat, Log, Message, Progress
from rkbench_agent.wire.plan import Plan, RunSettings

#: An answer that needs a look at the board or its disk alone, or the start of Python from a slow SD card.
#: What a plan states comes on top.
ANSWER_LIMIT_S = 60.0
#: A golden may have so many cases that take the longest an inference may.
GOLDEN_CASES = 100


class Patience:
    """Until when a plan is waited for: for its next step, and for its end, both generously."""

    def __init__(
        self, plan: Plan, answer_limit_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self.step_limit_s = answer_limit_s + step_limit_s(plan)
        self.total_limit_s = answer_limit_s + total_limit_s(plan)
        self._start = self._heard_at = clock()
        self._progress: Progress | None = None

    @property
    def deadline_s(self) -> float:
        """The end of the patience, on the clock."""
        return min(self._heard_at + self.step_limit_s, self._start + self.total_limit_s)

    def hear(self, message: Message) -> None:
        """Take a message into account.

        Beats, samples of the sensors and log lines are no step of a run, nor is a progress told before.
        """
        if isinstance(message, (Beat, Reading, Log)) or message == self._progress:
            return
        self._heard_at = self._clock()
        if isinstance(message, Progress):
            self._progress = message


def step_limit_s(plan: Plan) -> float:
    """Return how long may pass between two steps of a run: the agent itself ends what takes longer."""
    settings = plan.settings
    return (
        plan.lock_wait_s
        + settings.calm_limit_s
        + settings.load_timeout_s
        + settings.first_inference_timeout_s
        + settings.inference_timeout_s
    )


def total_limit_s(plan: Plan) -> float:
    """Return how long a plan may take in all, if every single step took the longest that it may."""
    return plan.lock_wait_s + 2 * len(plan.runs) * _run_limit_s(plan.settings)


def _run_limit_s(settings: RunSettings) -> float:
    cool_s = settings.cool_limit_s if settings.cool_below_celsius is not None else 0.0
    loads = 2 + settings.load_cycles + settings.profile
    load_s = loads * (settings.load_timeout_s + settings.first_inference_timeout_s)
    counted = settings.warmup_iterations + settings.min_iterations + settings.block_iterations
    inference_s = (counted + GOLDEN_CASES) * settings.inference_timeout_s
    return cool_s + settings.calm_limit_s + load_s + inference_s + settings.min_duration_s
