"""Jobs of a driver: what a core keeps between them, and which tasks each core takes."""

from __future__ import annotations

import numpy as np
import pytest
from made_nets import Net
from rkbench.npu.execute.device import Job, NpuDevice, shares
from rkbench.npu.execute.fields import UnmodelledError
from rkbench.npu.generations import LITE, V2
from rkbench.npu.layout import RECORD, lay_out
from rkbench.npu.tasks import decode, decode_tasks
from rkbench.rknn import open_model

RANGES = ((0, 4), (4, 5), (9, 1), (10, 2), (12, 3))


@pytest.mark.parametrize("soc", ["rk3588", "rk3568"])
def test_a_list_in_two_jobs_finds_the_registers_and_tables_of_one(soc: str) -> None:
    with open_model(Net("swishes", soc, "fp16").path) as model:
        layout = lay_out(model)
        whole = decode_tasks(layout)
        start = (layout.records["address"][whole.index] // 8).astype(np.int64)
        cut = len(whole) // 2
        first, second = slice(None, cut), slice(cut, None)
        head = decode(layout.generation, layout.words, start[first], whole.words[first], whole.enable[first])
        before = head.after
        tail = decode(
            layout.generation,
            layout.words,
            start[second],
            whole.words[second],
            whole.enable[second],
            before=before,
        )
    assert before.tables is not None
    for i, task in enumerate(tail):
        there = whole.task(cut + i)
        registers = {key: value for key, value in task.registers.items() if value}
        assert registers == {key: value for key, value in there.registers.items() if value}
        assert np.array_equal(tail.tables.entries[task.table], whole.tables.entries[there.table])


@pytest.mark.parametrize(
    ("mask", "taken"),
    [
        (0, [(0, (0, 4))]),
        (1, [(0, (0, 4))]),
        (2, [(1, (4, 5))]),
        (3, [(0, (0, 4)), (1, (4, 5))]),
        (7, [(0, (9, 1)), (1, (10, 2)), (2, (12, 3))]),
    ],
)
def test_a_core_mask_says_which_ranges_are_run(mask: int, taken: object) -> None:
    assert shares(Job(0, 3, 8, mask, RANGES), V2) == taken
    assert shares(Job(0, 3, 8, mask, RANGES), LITE) == [(0, (3, 8))]


@pytest.mark.parametrize(("address", "amount"), [(1 << 40, 4), (64, 1 << 31), (1 << 15, 64)])
def test_commands_outside_of_the_memory_are_refused(address: int, amount: int) -> None:
    memory = np.zeros(1 << 15, np.uint8)
    records = np.zeros(1, RECORD)
    records["address"], records["amount"] = address, amount
    memory[4096:4136] = records.view(np.uint8)
    with pytest.raises(UnmodelledError):
        NpuDevice(V2, memory).submit(Job(4096, 0, 1, 1, ((0, 1),) * 5))
    with pytest.raises(UnmodelledError):
        NpuDevice(V2, memory).submit(Job(1 << 14, 0, 1 << 20, 1, ((0, 1 << 20),) * 5))
