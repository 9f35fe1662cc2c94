"""The scenario `server`, conducted: one rate, or one after the other as the host asks for them."""

from __future__ import annotations

from typing import Optional

from rkbench_agent.errors import RunFailedError
from rkbench_agent.run.offline import placement_masks
from rkbench_agent.run.state import RunState
from rkbench_agent.run.steps import Steps
from rkbench_agent.wire.messages import Failed
from rkbench_agent.wire.words import INFERENCE, RUNTIME_ERROR

#: The host may ask for no more rates of one run.
MOST_TRIES = 16


def run_server(steps: Steps, state: RunState, npu_cores: int) -> None:
    """Serve the rate of the settings; with `find_rate` begin without one, then serve what the host asks for.

    Raises RunFailedError where a context cannot be made.
    """
    settings = steps.settings
    total = MOST_TRIES if settings.find_rate else 1
    _step(steps, state, npu_cores, None if settings.find_rate else settings.rate_per_s, total)
    for _ in range(total - 1):
        rate_per_s = steps.next_rate(state)
        if rate_per_s is None:
            return
        _step(steps, state, npu_cores, rate_per_s, total)


def _step(steps: Steps, state: RunState, npu_cores: int, rate_per_s: Optional[float], total: int) -> None:
    settings = steps.settings
    masks = placement_masks(settings.placements[0], settings.contexts[0], npu_cores)
    steps.load(state, masks[0])
    answer = steps.ask(
        state,
        state.steps,
        total,
        do="server",
        core_masks=masks,
        block=state.block,
        warmups=settings.warmup_iterations,
        rate_per_s=rate_per_s,
        seed=settings.seed,
        iterations=settings.min_iterations,
        duration_ns=int(settings.min_duration_s * 1e9),
    )
    if answer["problem"]:
        text = f"{len(masks)} contexts could not be made: {answer['problem']}"
        raise RunFailedError(
            Failed(state.spec.run, INFERENCE, RUNTIME_ERROR, text, "ask for fewer: --contexts 1")
        )
    state.block += answer["blocks"]
    state.iterations += answer["iterations"]
    state.steps += 1
