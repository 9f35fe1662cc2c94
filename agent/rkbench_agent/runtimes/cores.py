"""Which NPU cores a name means on which SoC."""

from __future__ import annotations

from typing import Dict, List, Tuple

from rkbench_agent.runtimes.base import RuntimeFailureError, Setting

#: Core masks by SoC; elsewhere the runtime refuses any mask, and there is one core.
CORE_MASKS: Dict[str, Dict[str, int]] = {
    "rk3588": {"auto": 0, "0": 1, "1": 2, "2": 4, "0-1": 3, "all": 7},
    "rk3576": {"auto": 0, "0": 1, "1": 2, "0-1": 3, "all": 3},
}
SINGLE_CORE_SOCS = ("rk3562", "rk3566", "rk3568")


def choose_core_mask(setting: Setting) -> Tuple[int, List[Tuple[str, str, str]]]:
    """Return the mask (0: none is to be set) and caveats; raises RuntimeFailureError for a wrong name."""
    soc, name = setting.soc or "", setting.core_mask
    if soc in SINGLE_CORE_SOCS:
        if name in ("auto", "0"):
            return 0, []
        text = f"{soc} has one NPU core: --cores {name} was not applied"
        return 0, [("core_mask_ignored", text, "leave --cores away on this board")]
    masks = CORE_MASKS.get(soc, CORE_MASKS["rk3588"])
    if name not in masks:
        raise RuntimeFailureError(
            f"no core mask {name!r} on {soc or 'this board'}",
            reason="bad_input",
            advice=f"one of {', '.join(sorted(masks))}",
        )
    return masks[name], []
