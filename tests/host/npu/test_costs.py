"""What a task costs, from its geometry."""

from __future__ import annotations

from npu_words import made_tasks
from rkbench.npu.costs import task_costs
from rkbench.npu.generations import LITE
from rkbench.npu.tasks import CNA, CORE, DPU, DPU_RDMA, PPU, PPU_RDMA

#: 20 channels of 8 x 8, int8, 3x3 kernels, 40 of them, to 8 x 8 pixels; 720 bytes of weights a block.
CONVOLUTION = [
    (0x100C, 0),
    (0x1020, 8 << 16 | 8),
    (0x1024, 19 << 16 | 32),
    (0x102C, 64),
    (0x1030, 7200),
    (0x1038, 3 << 24 | 3 << 16 | 40),
]
OUTPUT = [(0x400C, 4), (0x4010, 0), (0x4030, 7), (0x4034, 7), (0x403C, 39)]


def test_what_does_not_fill_a_block_costs_as_much_as_a_full_one() -> None:
    costs = task_costs(made_tasks([(CNA | CORE | DPU, [*CONVOLUTION, *OUTPUT])]))
    assert costs.macs.tolist() == [64 * 9 * 20 * 40]
    assert costs.mac_cycles.tolist() == [64 * 9 * 2]
    assert costs.sums([0]).mac_fill_ratio == 20 * 40 / (32 * 64)  # type: ignore[arg-type]  # a list is one


def test_bytes_are_those_fetched_and_written_padding_included() -> None:
    tasks = made_tasks([(CNA | CORE | DPU, [*CONVOLUTION, *OUTPUT])])
    costs = task_costs(tasks)
    assert (costs.feature_bytes[0], costs.weight_bytes[0]) == (8 * 8 * 32, 7200)
    assert (costs.written_bytes[0], costs.command_bytes[0]) == (64 * 40, 8 * len(tasks.task(0).registers))
    assert costs.output_cycles.tolist() == [64 * 3]


def test_features_and_weights_that_stay_in_the_buffer_are_not_fetched() -> None:
    costs = task_costs(made_tasks([(CNA, [*CONVOLUTION, (0x1040, 3 << 12)])]))
    assert (costs.feature_bytes[0], costs.weight_bytes[0]) == (0, 0)


def test_fp16_needs_twice_the_cycles_and_bytes() -> None:
    costs = task_costs(made_tasks([(CNA, [*CONVOLUTION, (0x100C, 2 << 4)])]))
    assert (costs.mac_cycles[0], costs.feature_bytes[0]) == (64 * 9 * 3, 2 * 8 * 8 * 32)


def test_a_depthwise_task_counts_groups_of_channels() -> None:
    costs = task_costs(made_tasks([(CNA, [*CONVOLUTION, (0x100C, 3)])]))
    assert (costs.macs[0], costs.mac_cycles[0]) == (64 * 9 * 20, 64 * 9)


def test_the_rk3568_has_half_the_kernels_a_cycle() -> None:
    assert task_costs(made_tasks([(CNA, CONVOLUTION)], LITE)).mac_cycles.tolist() == [64 * 9 * 3]


def test_a_table_and_an_operand_are_counted() -> None:
    writes = [*OUTPUT, (0x4070, 1 << 1), (0x5034, 1 << 2)]
    costs = task_costs(made_tasks([(DPU | DPU_RDMA, writes)]))
    assert (costs.table_cycles[0], costs.read_bytes[0]) == (64 * 3, 64 * 40)
    bypassed = task_costs(made_tasks([(DPU, [*OUTPUT, (0x4070, 1 << 7)])]))
    assert bypassed.table_cycles[0] == 0


def test_pooling_reads_and_writes_unless_it_is_handed_the_values() -> None:
    pool = [(0x600C, 7), (0x6010, 7), (0x6014, 15), (0x6018, 3), (0x601C, 3), (0x6084, 0)]
    alone = task_costs(made_tasks([(PPU | PPU_RDMA, pool)]))
    assert (alone.read_bytes[0], alone.written_bytes[0]) == (64 * 16, 16 * 16)
    handed = task_costs(made_tasks([(DPU | PPU, [*OUTPUT, (0x400C, 2), *pool])]))
    assert (handed.read_bytes[0], handed.written_bytes[0]) == (0, 16 * 16)
