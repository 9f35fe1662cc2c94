"""Which NPU cores a name means on which SoC."""

from __future__ import annotations

from typing import List, Tuple

from rkbench_agent.errors import RuntimeFailureError
from rkbench_agent.runtimes.base import ModelSetup
from rkbench_agent.wire.caveats import Caveat, caveat
from rkbench_agent.wire.socs import SOCS, find_soc, with_cores
from rkbench_agent.wire.words import AUTO, BAD_INPUT


def choose_core_mask(setup: ModelSetup) -> Tuple[int, List[Caveat]]:
    """Return the mask (0: none is to be set) and caveats; raises RuntimeFailureError for a wrong name."""
    soc, name = with_cores(find_soc(setup.soc), setup.npu_cores), setup.core_mask
    if soc is not None and soc.npu_cores == 1:
        if name in (AUTO, "0"):
            return 0, []
        text = f"{soc.name} has one NPU core: --cores {name} was not applied"
        return 0, [caveat("core_mask_ignored", text, "leave --cores away on this board")]
    masks = (soc or SOCS["rk3588"]).core_masks
    if name not in masks:
        raise RuntimeFailureError(
            f"no core mask {name!r} on {setup.soc or 'this board'}",
            reason=BAD_INPUT,
            advice=f"one of {', '.join(sorted(masks))}",
        )
    return masks[name], []
