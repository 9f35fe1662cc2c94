"""Which NPU cores a push uses: one mask, or all that the board has, one after the other."""

from __future__ import annotations

from rkbench_agent.protocol import Environment

from rkbench.campaign.order import SWEEP, Order
from rkbench.results.events import Listener, Note

AUTO = "auto"
#: By the number of cores; a board that does not tell is asked for no mask.
MASKS = {3: (AUTO, "0", "1", "2", "0-1", "all"), 2: (AUTO, "0", "1", "all"), 1: (AUTO,)}


def core_masks(order: Order, environment: Environment, listener: Listener) -> tuple[str, ...]:
    """Return the masks to run each variant with, the baseline first; says where a sweep has only one."""
    if order.core_mask != SWEEP:
        return (order.core_mask,)
    masks = MASKS.get(environment.npu_cores or 1, (AUTO,))
    if len(masks) == 1:
        board = environment.soc or "this board"
        cores = "has one NPU core" if environment.npu_cores == 1 else "does not tell its NPU cores"
        listener(Note(f"--cores sweep: {board} {cores}, so there is only auto to run"))
    return masks
