"""The SoCs: their NPU cores, the masks that choose among them, and under which names they are sold."""

from __future__ import annotations

import re
from typing import Dict, List, NamedTuple, Optional, Sequence

from rkbench_agent.wire.words import AUTO


class Soc(NamedTuple):
    """One SoC as far as its NPU goes.

    `core_masks` are the values of RKNNLite by name; empty where the runtime refuses any mask, since there is
    one core.
    """

    name: str
    npu_cores: int
    core_masks: Dict[str, int]


_RK3588 = {AUTO: 0, "0": 1, "1": 2, "2": 4, "0-1": 3, "all": 7}
_TWO_CORES = {AUTO: 0, "0": 1, "1": 2, "0-1": 3, "all": 3}
SOCS: Dict[str, Soc] = {
    soc.name: soc
    for soc in (
        Soc("rk3562", 1, {}),
        Soc("rk3566", 1, {}),
        Soc("rk3568", 1, {}),
        Soc("rk3576", 2, _TWO_CORES),
        Soc("rk3588", 3, _RK3588),
        Soc("rv1103", 1, {}),
        Soc("rv1103b", 1, {}),
        Soc("rv1106", 1, {}),
        Soc("rv1106b", 1, {}),
        Soc("rv1126b", 1, {}),
    )
}
#: Chips that are a SoC of another name: letters behind a name (rk3588s2, rk3568j, rk3576m) mean the same NPU.
#: The RK3582 and the RK3583 are RK3588S with parts switched off, among them one core of the NPU.
_SOLD_AS = {"rk3582": ("rk3588", 2), "rk3583": ("rk3588", 2), "rk3567": ("rk3568", 1)}
_CHIP = re.compile(r"r[kv]\d{4}(?:[a-z][a-z0-9]*)?\Z")


class Chip(NamedTuple):
    """What a board calls its SoC, the SoC that models are converted for, and how many cores it has."""

    name: str
    soc: str
    npu_cores: Optional[int]


def find_chip(compatible: Sequence[str]) -> Optional[Chip]:
    """Return the Rockchip chip that a device tree names, in any order of its entries; None without one.

    Where it names several of one SoC (an rk3582 and the rk3588s that it is made of), the one with the fewest
    cores tells what the board has.
    """
    names = [entry[len("rockchip,") :] for entry in compatible if entry.startswith("rockchip,")]
    # A board of Rockchip's own (rk3568-evb1-ddr4-v10) may be all that there is.
    chips = _chips(names) or _chips([name.partition("-")[0] for name in names])
    first = next((chip for chip in chips if chip.npu_cores is not None), chips[0] if chips else None)
    same = [chip for chip in chips if first is not None and chip.soc == first.soc]
    return min(same, key=lambda chip: chip.npu_cores or 0) if same else None


def find_soc(name: Optional[str]) -> Optional[Soc]:
    """Return what is known of the SoC called `name` (as rk3588, RK3588S2, rk3582); None where nothing is.

    Of a chip with fewer cores than its SoC only the masks of those remain.
    """
    chip = _chip((name or "").lower())
    return with_cores(SOCS.get(chip.soc), chip.npu_cores)


def with_cores(soc: Optional[Soc], npu_cores: Optional[int]) -> Optional[Soc]:
    """Return `soc` with that number of cores, as a board may have fewer; None for no SoC."""
    if soc is None or npu_cores is None or npu_cores >= soc.npu_cores:
        return soc
    return Soc(soc.name, npu_cores, _TWO_CORES if npu_cores == 2 else {})


def _chips(names: Sequence[str]) -> List[Chip]:
    return [_chip(name) for name in names if _CHIP.match(name)]


def _chip(name: str) -> Chip:
    for start, (soc, npu_cores) in _SOLD_AS.items():
        if name.startswith(start):
            return Chip(name, soc, npu_cores)
    # The longest: an rv1126b is none of an rv1126, nor an rv1103b an rv1103.
    known = max((soc for soc in SOCS.values() if name.startswith(soc.name)), key=_length, default=None)
    return Chip(name, known.name, known.npu_cores) if known else Chip(name, name, None)


def _length(soc: Soc) -> int:
    return len(soc.name)
