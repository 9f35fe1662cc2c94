"""Which NPU cores a push uses: one mask, or all that the board has, one after the other."""

from __future__ import annotations

from rkbench_agent.wire.board import Environment
from rkbench_agent.wire.plan import RunSettings
from rkbench_agent.wire.socs import find_soc
from rkbench_agent.wire.words import AUTO

from rkbench.campaign.settings import SWEEP
from rkbench.runs.events import Listener, Note


def core_masks(settings: RunSettings, environment: Environment, listener: Listener) -> tuple[str, ...]:
    """Return the masks to run each variant with, the baseline first; says where a sweep has only one."""
    if settings.core_mask != SWEEP:
        return (settings.core_mask,)
    soc = find_soc(environment.soc)
    # Two names of one mask (0-1 and all, of two cores) are one run.
    by_value = {value: name for name, value in soc.core_masks.items()} if soc else {}
    masks = tuple(by_value.values()) or (AUTO,)
    if len(masks) == 1:
        board = environment.soc or "this board"
        cores = "has one NPU core" if environment.npu_cores == 1 else "does not tell its NPU cores"
        listener(Note(f"--cores sweep: {board} {cores}, so there is only auto to run"))
    return masks
