"""The SoCs: their NPU cores, the masks that choose among them, and where the NPU stands in sysfs."""

from __future__ import annotations

from typing import Dict, NamedTuple, Optional

from rkbench_agent.wire.words import AUTO


class Soc(NamedTuple):
    """One SoC as far as its NPU goes.

    `core_masks` are the values of RKNNLite by name; empty where the runtime refuses any mask, since there is
    one core. `npu_device` is the NPU's name in /sys/class/devfreq.
    """

    name: str
    npu_cores: int
    core_masks: Dict[str, int]
    npu_device: Optional[str] = None


SOCS: Dict[str, Soc] = {
    soc.name: soc
    for soc in (
        Soc("rk3562", 1, {}),
        Soc("rk3566", 1, {}, "fde40000.npu"),
        Soc("rk3568", 1, {}, "fde40000.npu"),
        Soc("rk3576", 2, {AUTO: 0, "0": 1, "1": 2, "0-1": 3, "all": 3}),
        Soc("rk3588", 3, {AUTO: 0, "0": 1, "1": 2, "2": 4, "0-1": 3, "all": 7}, "fdab0000.npu"),
    )
}
#: Names in the device tree that mean the same NPU and the same target_platform.
SAME_NPU = {"rk3588s": "rk3588"}


def find_soc(name: Optional[str]) -> Optional[Soc]:
    """Return what is known of the SoC called `name` (as rk3588, RK3588S); None where nothing is."""
    plain = (name or "").lower()
    return SOCS.get(SAME_NPU.get(plain, plain))
