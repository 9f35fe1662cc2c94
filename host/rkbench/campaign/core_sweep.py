"""Which NPU cores a push uses: one mask, or all that the board has, one after the other."""

from __future__ import annotations

from rkbench_agent.wire.board import Environment
from rkbench_agent.wire.plan import RunSettings
from rkbench_agent.wire.socs import Soc, find_soc, with_cores
from rkbench_agent.wire.words import AUTO

from rkbench.campaign.settings import SWEEP
from rkbench.results.events import Listener, Note


def core_masks(settings: RunSettings, environment: Environment, listener: Listener) -> tuple[str, ...]:
    """Return the masks to run each variant with, the baseline first; says where a sweep has only one."""
    if settings.core_mask != SWEEP:
        return (settings.core_mask,)
    soc = with_cores(find_soc(environment.soc), environment.npu_cores)
    if soc is None or not soc.core_masks:
        why = "this SoC is not known" if soc is None else f"{environment.soc} has one NPU core"
        listener(Note(f"--cores sweep: {why}, so there is only auto to run"))
        return (AUTO,)
    return _different_masks(soc)


def _different_masks(soc: Soc) -> tuple[str, ...]:
    """Return the names of all masks; where two name the same cores (0-1 and all, of two), the last alone."""
    masks = soc.core_masks
    name_of = {value: name for name, value in masks.items()}
    return tuple(name for name, value in masks.items() if name_of[value] == name)
