"""Tasks decoded: two register groups, relocations, generations, and files that are damaged."""

from __future__ import annotations

import numpy as np
import pytest
from npu_words import made_tasks
from rkbench.errors import ModelError
from rkbench.npu.generations import LITE, V2
from rkbench.npu.layout import BASE, lay_out
from rkbench.npu.registers import field, register_map, register_name
from rkbench.npu.tasks import CNA, CORE, DPU, PPU, core_lists, decode, decode_tasks
from rkbench.rknn import open_model
from rknn_writer import MODELS

WIDTH, HEIGHT = 0x4030, 0x4034


def test_a_short_task_inherits_from_the_task_before_the_last() -> None:
    tasks = made_tasks(
        [(DPU, [(WIDTH, 10)]), (DPU, [(WIDTH, 20)]), (DPU, [(HEIGHT, 3)]), (DPU, [(HEIGHT, 4)])]
    )
    assert tasks.bits(WIDTH).tolist() == [10, 20, 10, 20]
    assert tasks.bits(HEIGHT).tolist() == [0, 0, 3, 4]


def test_a_block_that_does_not_run_keeps_its_group() -> None:
    tasks = made_tasks([(DPU, [(WIDTH, 10)]), (PPU, [(WIDTH, 20)]), (DPU, [])])
    assert tasks.bits(WIDTH).tolist() == [10, 0, 20]


def test_a_pointer_that_is_cleared_and_held_stays_in_group_0() -> None:
    tasks = made_tasks([(DPU, [(WIDTH, 10)]), (DPU, [(0x4004, 0x30), (HEIGHT, 3)]), (DPU, [])])
    assert tasks.bits(WIDTH).tolist() == [10, 10, 10]
    assert tasks.bits(HEIGHT).tolist() == [0, 3, 3]


def test_the_pointer_moves_again_once_it_is_told_to() -> None:
    tasks = made_tasks([(DPU, [(0x4004, 0x30), (WIDTH, 1)]), (DPU, [(0x4004, 0xE), (WIDTH, 2)]), (DPU, [])])
    assert tasks.bits(WIDTH).tolist() == [1, 2, 0]


def test_words_for_the_sequencer_write_no_register() -> None:
    assert made_tasks([(DPU, [(WIDTH, 7)])]).task(0).registers == {WIDTH: 7}


def test_fields_of_the_rk3568_stand_where_the_rk3588_has_them() -> None:
    writes = [(0x200C, 3), (0x3010, 0x0006_0007), (0x3014, 31), (0x1068, 0xFF80_0011), (0x4070, 2 << 3)]
    (task,) = made_tasks([(CNA | 2 | CORE | DPU, writes)], LITE)
    assert (task.bits(0x3010), task.bits(0x3014, 16), task.bits(0x3018)) == (3, 6, 31)
    assert task.signed(0x1184) == -128
    assert task.bits(0x4070, 16, 19) == 2


def test_a_table_stays_until_it_is_filled_again() -> None:
    fill = [(0x4100, 1 << 17), (0x4104, 0xFFFF), (0x4104, 5), (0x4100, 1 << 17 | 1 << 16 | 512), (0x4104, 7)]
    tasks = made_tasks([(DPU, []), (DPU, fill), (DPU, []), (DPU, [(0x4100, 1 << 17), (0x4104, 9)])])
    assert tasks.tables.state.tolist() == [-1, 0, 0, 1]
    assert tasks.tables.entries[0, 0, :2].tolist() == [-1, 5]
    assert tasks.tables.entries[0, 1, 512] == 7
    assert tasks.tables.entries[1, 0, :2].tolist() == [9, 5]


def test_a_sample_is_decoded_to_the_geometry_of_its_first_layer() -> None:
    with open_model(MODELS / "mb_gap7_rk3588_i8.rknn") as model:
        layout = lay_out(model)
        tasks = decode_tasks(layout)
    first = tasks.task(0)
    assert [len(tasks), len(core_lists(layout))] == [24, 6]
    assert first.get(field("CNA.WEIGHT_SIZE2.WEIGHT_KERNELS")) == 16
    assert first.bits(0x1070) == BASE + model.inputs[0].arena_offset


def test_constants_lie_where_the_words_point() -> None:
    with open_model(MODELS / "mb_gap7_rk3588_i8.rknn") as model:
        layout = lay_out(model)
        memory = layout.memory()
        address = decode_tasks(layout).task(0).bits(0x1110)
        before = {i: address - at for i, at in layout.addresses.items() if at <= address}
        index = min(before, key=lambda i: before[i])
        tensor, offset = model.tensors[index], before[index]
        with model.read_buffer(tensor.buffer_index) as view:
            assert memory[address : address + 16].tobytes() == bytes(view[offset : offset + 16])


def test_a_mini_file_is_refused_by_name() -> None:
    path = MODELS / "opt_mini_rknn_True_rk3588_fp.rknn"
    with open_model(path) as model, pytest.raises(ModelError, match="RV1103/RV1106 kind"):
        lay_out(model)


def test_tasks_without_end_are_refused_before_memory_is_taken() -> None:
    many = np.zeros(1000, np.int64)
    with pytest.raises(ModelError, match="1000 tasks of 4000000000 command words"):
        decode(V2, np.zeros(10, np.uint64), many, many + 4_000_000, many)


def test_the_register_map_has_no_two_fields_on_one_bit() -> None:
    for register in register_map().values():
        masks = [f.mask << f.low for f in register.fields]
        assert sum(masks) == ~register.reserved & 0xFFFF_FFFF, register.name
    assert register_name(0x100C) == "CNA.CONV_CON1"
    assert register_name(0x5024) == "0x5024"
