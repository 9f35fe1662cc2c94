"""The scenario `offline`, conducted: every placement in a worker of its own, more and more contexts in it."""

from __future__ import annotations

from typing import List

from rkbench_agent.errors import RunFailedError
from rkbench_agent.run.state import RunState
from rkbench_agent.run.steps import Steps
from rkbench_agent.wire.caveats import Caveat, caveat
from rkbench_agent.wire.messages import Failed
from rkbench_agent.wire.words import INFERENCE, OUT_OF_MEMORY, RUNTIME_ERROR, SPREAD

FEWER = "fewer_contexts"
_ADVICE = "free memory, make the model smaller, or ask for fewer: --contexts 1,2"


def run_offline(steps: Steps, state: RunState, npu_cores: int) -> None:
    """Measure each placement of the settings with each number of contexts.

    Where a context cannot be made, or memory runs out, what was measured with fewer counts, and a caveat says
    so. Raises RunFailedError for everything else, and where nothing was measured.
    """
    counts, placements = sorted(set(steps.settings.contexts)), steps.settings.placements
    total, done = len(counts) * len(placements), 0
    for placement in placements:
        if done:
            steps.unload(state)  # its contexts lie as the placement before had them
        for index, contexts in enumerate(counts):
            if state.enough:
                return
            masks = placement_masks(placement, contexts, npu_cores)
            problem = _step(steps, state, masks, placement, done, total)
            if problem:
                state.add_caveats([_fewer(placement, contexts, problem)])
                done += len(counts) - index
                break
            done += 1
    if not state.iterations:
        message = state.caveats[FEWER].message
        raise RunFailedError(Failed(state.spec.run, INFERENCE, RUNTIME_ERROR, message, _ADVICE))


def placement_masks(placement: str, contexts: int, npu_cores: int) -> List[str]:
    """Return the core mask of each context: `spread` gives each the next core, else all have the same."""
    if placement != SPREAD:
        return [placement] * contexts
    return [str(number % max(1, npu_cores)) for number in range(contexts)]


def _step(steps: Steps, state: RunState, masks: List[str], placement: str, number: int, total: int) -> str:
    """Measure one step; returns why it could not be."""
    settings = steps.settings
    try:
        steps.load(state, masks[0])
        answer = steps.ask(
            state,
            number,
            total,
            do="offline",
            placement=placement,
            core_masks=masks,
            block=state.block,
            warmups=settings.warmup_iterations,
            iterations=settings.min_iterations,
            duration_ns=int(settings.min_duration_s * 1e9),
            limit_ns=int(settings.max_duration_s * 1e9),
        )
    except RunFailedError as error:
        steps.workers.stop(state)
        if error.failed.reason != OUT_OF_MEMORY or not state.iterations:
            raise
        return error.failed.message
    state.block += answer["blocks"]
    state.iterations += answer["iterations"]
    problem: str = answer["problem"]
    return problem


def _fewer(placement: str, contexts: int, problem: str) -> Caveat:
    text = f"{contexts} contexts could not be made ({placement}), so only fewer were measured: {problem}"
    return caveat(FEWER, text, _ADVICE)
