"""Does a plan make sense? Asked before the board is touched."""

from __future__ import annotations

from typing import Optional

from rkbench_agent.wire.plan import Plan, RunSettings
from rkbench_agent.wire.words import CORE_MASKS, INTERFERENCE, OFFLINE, PLACEMENTS, SCENARIOS, SERVER


def find_problem(plan: Plan) -> Optional[str]:
    """Return why a plan makes no sense, or None."""
    names = [spec.run for spec in plan.runs]
    if not names:
        return "the plan has no runs"
    if len(set(names)) != len(names):
        return f"two runs of the plan have one name: {', '.join(names)}"
    for mask in [plan.settings.core_mask, *(spec.core_mask for spec in plan.runs if spec.core_mask)]:
        if mask not in CORE_MASKS:
            return f"no core mask {mask!r}: one of {', '.join(CORE_MASKS)}"
    if plan.settings.runtime is None:
        return "the plan names no runtime"
    if plan.settings.scenario not in SCENARIOS:
        return f"no scenario {plan.settings.scenario!r}: one of {', '.join(SCENARIOS)}"
    if (plan.other is not None) != (plan.settings.scenario == INTERFERENCE):
        return f"{INTERFERENCE} needs another model, and no other scenario has one"
    if plan.settings.scenario in (OFFLINE, SERVER):
        return _contexts_problem(plan.settings)
    if plan.settings.scenario == INTERFERENCE:
        return _placements_problem(plan.settings)
    if plan.settings.block_iterations < 1:
        return "block_iterations must be at least 1"
    return None


def _contexts_problem(settings: RunSettings) -> Optional[str]:
    if not settings.contexts or min(settings.contexts) < 1:
        return f"{settings.scenario} needs the numbers of contexts, each 1 or more"
    problem = _placements_problem(settings)
    if problem is not None:
        return problem
    if settings.scenario == SERVER and not settings.find_rate and not (settings.rate_per_s or 0.0) > 0.0:
        return "server needs a rate above 0, or find_rate"
    return None


def _placements_problem(settings: RunSettings) -> Optional[str]:
    wrong = [placement for placement in settings.placements if placement not in PLACEMENTS]
    if wrong or not settings.placements:
        return f"no placement {wrong[0]!r}" if wrong else f"{settings.scenario} needs placements"
    return None
