"""The scenario `interference`, conducted: every placement of the two models in a worker of its own."""

from __future__ import annotations

import math
from typing import Any, Dict, List

from rkbench_agent.run.offline import placement_masks
from rkbench_agent.run.state import RunState
from rkbench_agent.run.steps import Steps
from rkbench_agent.wire.plan import RunSettings, RunSpec
from rkbench_agent.wire.words import INTERFERENCE

#: Rounds of each placement: the differences of twelve carry an interval, and drift hits all three alike.
ROUNDS = 12
#: Blocks of a round: each model alone, and each beside the other.
BLOCKS = 4
#: A rate needs a span: no model makes fewer calls in its part of a round.
FEWEST_CALLS = 2


def rounds_of(settings: RunSettings) -> int:
    """Return how many rounds each placement has: a figure whose interval needs more blocks has more."""
    return max(ROUNDS, settings.min_blocks)


def run_interference(steps: Steps, state: RunState, other: RunSpec, npu_cores: int) -> None:
    """Measure each placement in rounds, then look at the outputs under load. Raises RunFailedError."""
    settings = steps.settings
    rounds = rounds_of(settings)
    total, done = len(settings.placements) * (rounds + 1), 0
    for placement in settings.placements:
        if done:
            steps.unload(state)  # its models lie as the placement before had them
        masks = placement_masks(placement, 2, npu_cores)
        steps.load(state, masks[0])
        steps.load_other(state, other, masks[1])
        for number in range(rounds):
            if state.enough:
                return
            _measure(steps, state, done, total, turn=number, placement=placement, core_masks=masks)
            done += 1
        _check(steps, state, other, done, total, placement)
        done += 1


def _measure(steps: Steps, state: RunState, done: int, total: int, **command: Any) -> None:
    calls = max(FEWEST_CALLS, math.ceil(steps.settings.min_iterations / rounds_of(steps.settings)))
    command.update(_part(steps), do=INTERFERENCE, block=state.block, iterations=calls)
    answer = steps.ask(state, done, total, **command)
    state.block += BLOCKS
    state.iterations += answer["iterations"]


def _check(steps: Steps, state: RunState, other: RunSpec, done: int, total: int, placement: str) -> None:
    """Look at as many calls of both as all rounds time."""
    command = dict(_part(steps), do="beside", placement=placement, iterations=steps.settings.min_iterations)
    steps.ask(state, done, total, **command, outputs=_names(state.spec), other_outputs=_names(other))


def _part(steps: Steps) -> Dict[str, Any]:
    """Return how long a part of a round takes at least and at most."""
    settings, rounds = steps.settings, rounds_of(steps.settings)
    return {
        "duration_ns": int(settings.min_duration_s * 1e9 / rounds),
        "limit_ns": int(settings.max_duration_s * 1e9 / rounds),
    }


def _names(spec: RunSpec) -> List[str]:
    return [tensor.name for tensor in spec.outputs]
