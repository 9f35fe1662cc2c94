"""Bytes that cross the memory bus without need."""

from __future__ import annotations

from npu_words import made_tasks
from rkbench.npu.costs import task_costs
from rkbench.npu.tasks import CNA, DPU
from rkbench.npu.traffic import layer_traffic

WEIGHTS, KEPT = 0x1030, (0x1040, 1 << 13)


def test_weights_of_one_address_are_needed_once() -> None:
    def tile(address: int, size: int) -> tuple[int, list[tuple[int, int]]]:
        return CNA, [(0x1110, address), (WEIGHTS, size)]

    tasks = made_tasks([tile(0x10000, 500), tile(0x20000, 300), tile(0x10000, 500), tile(0x10000, 400)])
    (layer,) = layer_traffic(tasks, task_costs(tasks))
    assert (layer.refetched_bytes, layer.weight_passes, layer.convolution_tasks) == (900, 3, 4)


def test_weights_that_stay_are_not_fetched_again() -> None:
    first = [(0x1110, 0x10000), (WEIGHTS, 500), (0x1040, 0)]
    tasks = made_tasks([(CNA, first), (CNA, [*first[:2], KEPT])])
    (layer,) = layer_traffic(tasks, task_costs(tasks))
    assert (layer.refetched_bytes, layer.weight_passes) == (0, 1)


def test_channels_beyond_those_that_a_convolution_states_are_padding() -> None:
    cube = [(0x4030, 9), (0x4034, 4), (0x403C, 15 << 16 | 63)]
    tasks = made_tasks([(CNA | DPU, cube), (DPU, cube)])
    (layer,) = layer_traffic(tasks, task_costs(tasks))
    assert layer.padding_bytes == 48 * 10 * 5
