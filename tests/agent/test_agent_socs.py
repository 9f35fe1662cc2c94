"""Which SoC a device tree names: variants, chips with fewer cores, boards of Rockchip's own, any order."""

from __future__ import annotations

from itertools import permutations
from typing import List, Optional

import pytest
from rkbench_agent.wire.socs import find_chip, find_soc, with_cores


@pytest.mark.parametrize(
    ("compatible", "chip"),
    [
        (["radxa,rock-5b", "rockchip,rk3588"], ("rk3588", "rk3588", 3)),
        (["rockchip,rk3588s"], ("rk3588s", "rk3588", 3)),
        (["xunlong,orangepi-5", "rockchip,rk3588s2"], ("rk3588s2", "rk3588", 3)),
        (["radxa,rock-5c", "rockchip,rk3588f"], ("rk3588f", "rk3588", 3)),
        (["acme,industrial", "rockchip,rk3588j"], ("rk3588j", "rk3588", 3)),
        (["acme,car", "rockchip,rk3588m"], ("rk3588m", "rk3588", 3)),
        (["radxa,e52c", "rockchip,rk3582", "rockchip,rk3588s"], ("rk3582", "rk3588", 2)),
        (["acme,less", "rockchip,rk3583"], ("rk3583", "rk3588", 2)),
        (["acme,tablet", "rockchip,rk3576s"], ("rk3576s", "rk3576", 2)),
        (["radxa,zero3", "rockchip,rk3566"], ("rk3566", "rk3566", 1)),
        (["acme,box", "rockchip,rk3566t"], ("rk3566t", "rk3566", 1)),
        (["acme,industrial", "rockchip,rk3568j"], ("rk3568j", "rk3568", 1)),
        (["acme,car", "rockchip,rk3568m"], ("rk3568m", "rk3568", 1)),
        (["acme,new", "rockchip,rk3568b2"], ("rk3568b2", "rk3568", 1)),
        (["acme,pad", "rockchip,rk3562j"], ("rk3562j", "rk3562", 1)),
        (["rockchip,rv1126b-evb1-v11", "rockchip,rv1126b"], ("rv1126b", "rv1126b", 1)),
        (["acme,cam", "rockchip,rv1126bp"], ("rv1126bp", "rv1126b", 1)),
        (["acme,cam", "rockchip,rv1103b"], ("rv1103b", "rv1103b", 1)),
        (["acme,old", "rockchip,rv1126"], ("rv1126", "rv1126", None)),
        (["rockchip,rk3588-evb1-lp4-v10", "rockchip,rk3588"], ("rk3588", "rk3588", 3)),
        (["rockchip,rk3568-evb1-ddr4-v10"], ("rk3568", "rk3568", 1)),
        (["acme,stick", "rockchip,rk3399pro"], ("rk3399pro", "rk3399pro", None)),
        (["brcm,bcm2712"], None),
        ([], None),
    ],
)
def test_a_device_tree_names_its_chip_in_any_order(compatible: List[str], chip: Optional[tuple]) -> None:  # type: ignore[type-arg]
    assert {find_chip(order) for order in permutations(compatible)} == {chip}


@pytest.mark.parametrize(
    ("name", "soc"), [("RK3588S", "rk3588"), ("rk3582", "rk3588"), ("rk3576m", "rk3576"), ("rk3399", None)]
)
def test_a_name_that_was_typed_finds_the_same_socs(name: str, soc: Optional[str]) -> None:
    found = find_soc(name)
    assert (found.name if found else None) == soc


def test_a_chip_with_two_cores_left_has_no_mask_of_a_third() -> None:
    rk3582 = find_soc("rk3582")
    assert rk3582 is not None
    assert rk3582.core_masks == {"auto": 0, "0": 1, "1": 2, "0-1": 3, "all": 3}
    assert with_cores(find_soc("rk3588"), 2) == rk3582
    assert with_cores(find_soc("rk3588"), None) == find_soc("rk3588")
    assert with_cores(None, 2) is None
