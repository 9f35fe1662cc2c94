"""Does a plan make sense? Asked before the board is touched."""

from __future__ import annotations

from typing import Optional

from rkbench_agent.protocol import Plan, RunSpec, WireError

CORE_MASKS = ("auto", "0", "1", "2", "0-1", "all")


def find_problem(plan: Plan) -> Optional[str]:
    """Return why a plan makes no sense, or None."""
    try:
        specs = [RunSpec.from_wire(value) for value in plan.runs]
    except (WireError, TypeError, AttributeError) as error:
        return f"a run of the plan is wrong: {error}"
    names = [spec.run for spec in specs]
    if not names:
        return "the plan has no runs"
    if len(set(names)) != len(names):
        return f"two runs of the plan have one name: {', '.join(names)}"
    for mask in [plan.core_mask, *(spec.core_mask for spec in specs if spec.core_mask)]:
        if mask not in CORE_MASKS:
            return f"no core mask {mask!r}: one of {', '.join(CORE_MASKS)}"
    if plan.block_iterations < 1:
        return "block_iterations must be at least 1"
    return None
