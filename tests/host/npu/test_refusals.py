"""What the NPU model refuses: fields, words and blocks that it does not know in that place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_nets import Net
from net_cores import core_of
from npu_words import word
from rkbench.errors import ModelError
from rkbench.npu.execute.executor import Executor
from rkbench.npu.execute.fields import TaskRegisters, UnmodelledError
from rkbench.npu.execute.modelled import refuse_unmodelled
from rkbench.npu.execute.repeated import repeated_fields
from rkbench.npu.fields import BF16, FP16
from rkbench.npu.generations import LITE, V2, Generation
from rkbench.npu.layout import lay_out
from rkbench.npu.registers import named_fields
from rkbench.npu.tasks import CNA, DPU, DPU_RDMA, Task, decode_tasks
from rkbench.rknn import open_model

ORDER = (
    "DPU.FEATURE_MODE_CFG.TP_EN",
    "DPU.BS_OW_CFG.TP_ORG_EN",
    "DPU.WDMA_SIZE_0.SIZE_C_WDMA",
    "DPU.WDMA_SIZE_0.TP_PRECISION",
    "DPU.DATA_CUBE_HEIGHT.MINMAX_CTL",
    "DPU.OUT_CVT_SHIFT.CVT_ROUND",
)


@pytest.mark.parametrize("soc", ["rk3588", "rk3568"])
def test_a_field_that_contradicts_the_one_it_repeats_is_refused(soc: str) -> None:
    core, tasks = core_of(Net("pools", soc, "int8"))
    tried = set()
    for task in tasks:
        for block, name, _, _ in repeated_fields(TaskRegisters(task.registers), core.generation):
            if not task.enable & block:
                continue
            span = named_fields()[name]
            changed = {**task.registers, span.register: task.registers.get(span.register, 0) ^ 1 << span.low}
            with pytest.raises(UnmodelledError):
                core.run(replace(task, registers=changed))
            tried.add(name)
    assert len(tried) == (16 if soc == "rk3588" else 14)


@pytest.mark.parametrize("name", ORDER)
def test_a_field_of_another_order_is_refused_by_itself(name: str) -> None:
    core, tasks = core_of(Net("dense", "rk3588", "fp16"))
    span, task = named_fields()[name], tasks[-1]
    with pytest.raises(UnmodelledError):
        core.run(
            replace(
                task,
                registers={**task.registers, span.register: task.registers[span.register] | 1 << span.low},
            )
        )


@pytest.mark.parametrize(("precision", "word"), [(1, "int16"), (6, "int4"), (7, "tf32")])
def test_a_convolution_of_another_precision_is_refused_by_its_word(precision: int, word: str) -> None:
    core, tasks = core_of(Net("dense", "rk3588", "int8"))
    task = tasks[-1]
    changed = dict(task.registers)
    for name in (
        "CNA.CONV_CON1.IN_PRECISION",
        "CNA.CONV_CON1.PROC_PRECISION",
        "CORE.MISC_CFG.PROC_PRECISION",
    ):
        changed[named_fields()[name].register] |= precision << named_fields()[name].low
    with pytest.raises(UnmodelledError, match=word):
        core.run(replace(task, registers=changed))


def test_a_reader_that_computes_in_another_precision_is_refused() -> None:
    core, tasks = core_of(Net("residual", "rk3588", "int8"))
    span, task = named_fields()["DPU_RDMA.FEATURE_MODE_CFG.PROC_PRECISION"], tasks[-1]
    with pytest.raises(UnmodelledError, match="PROC_PRECISION = 2"):
        core.run(replace(task, registers={**task.registers, span.register: 2 << span.low}))


def test_a_stage_that_expects_fp16_where_it_computes_bf16_is_refused() -> None:
    core, tasks = core_of(Net("normalization", "rk3588", "fp16"))
    span = named_fields()["DPU.DATA_FORMAT.IN_PRECISION"]
    mixed = [task for task in tasks if task.enable == READER and mixes_floats(task)]
    assert mixed
    for task in mixed:
        changed = task.registers[span.register] ^ 1 << span.low
        with pytest.raises(UnmodelledError, match="IN_PRECISION"):
            core.run(replace(task, registers={**task.registers, span.register: changed}))


READER = DPU | DPU_RDMA


def mixes_floats(task: Task) -> bool:
    read, computed = (
        task.get(named_fields()[name])
        for name in ("DPU_RDMA.FEATURE_MODE_CFG.IN_PRECISION", "DPU.DATA_FORMAT.PROC_PRECISION")
    )
    return {read, computed} == {FP16, BF16}


@pytest.mark.parametrize("bit", [0, 5, 12])
def test_lines_that_nobody_reads_or_writes_are_refused(bit: int) -> None:
    core, tasks = core_of(Net("normalization", "rk3588", "fp16"))
    height = named_fields()["DPU.DATA_CUBE_HEIGHT.HEIGHT"]
    one_line = [task for task in tasks if task.enable == READER and not task.get(height)]
    assert one_line
    for task in one_line:
        changed = task.registers[height.register] | 1 << bit
        with pytest.raises(UnmodelledError):
            core.run(replace(task, registers={**task.registers, height.register: changed}))


def test_an_operand_that_is_a_number_is_applied_to_integers() -> None:
    core, tasks = core_of(Net("residual", "rk3588", "int8"))
    task = next(each for each in tasks if each.registers[EW_CFG] & EW_OPERAND_FETCHED)
    bare = task.registers[EW_CFG] & ~EW_OPERAND_FETCHED
    core.run(replace(task, registers={**task.registers, EW_CFG: bare, EW_VALUE: 3}))


EW_CFG, EW_VALUE, EW_OPERAND_FETCHED = 0x4070, 0x4090, 1 << 6


@pytest.mark.parametrize(
    ("generation", "fetched", "counted", "real"),
    [(V2, 48, 41, 42), (V2, 360, 39, 360), (V2, 200, 3, 196), (LITE, 144, 139, 140), (LITE, 480, 479, 480)],
)
def test_real_channels_are_counted_as_files_have_them(
    generation: Generation, fetched: int, counted: int, real: int
) -> None:
    assert generation.real_channels(fetched, counted) == real


def test_a_register_that_nobody_knows_is_refused() -> None:
    core, tasks = core_of(Net("dense", "rk3588", "fp16"))
    with pytest.raises(UnmodelledError, match="0x40c4"):
        core.run(replace(tasks[-1], registers={**tasks[-1].registers, 0x40C4: 1}))


@pytest.mark.parametrize("soc", ["rk3588", "rk3568"])
@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (word(0x40C4, 1), "0x40c4 = 0x1"),
        (word(0x10F0, 7), "0x10f0 = 0x7"),
        (word(0x3030, 5), "0x3030 = 0x5"),
        (0x8001 << 48 | 7 << 16 | 0x8010, "0x8010 = 0x7"),
        (0x2001 << 48 | 0x40C0, r"DPU.SURFACE_ADD = 0x0 for block 0x2001"),
        (0x0041 << 48 | 1, "0x0041"),
    ],
)
def test_a_word_that_nobody_can_explain_is_refused_from_there_on(soc: str, changed: int, why: str) -> None:
    with open_model(Net("dense", soc, "int8").path) as model:
        layout = lay_out(model)
        whole = decode_tasks(layout)
        assert whole.unexplained is None
        last = layout.records[int(whole.index[2])]
        layout.words[int(last["address"]) // 8 + int(last["amount"]) - 1] = changed
        tasks = list(decode_tasks(layout))
        assert [bool(task.unexplained) for task in tasks[:4]] == [False, False, True, True]
        with pytest.raises(UnmodelledError, match=why):
            refuse_unmodelled(tasks[-1], layout.generation)


def test_words_that_start_other_blocks_than_the_record_says_are_refused() -> None:
    with open_model(Net("dense", "rk3588", "int8").path) as model:
        layout = lay_out(model)
        starts = layout.words >> np.uint64(48) == 0x0081
        layout.words[starts] &= np.uint64(0xFFFF << 48 | 0xFFFF)
        task = decode_tasks(layout).task(0)
        with pytest.raises(UnmodelledError, match="a start of blocks 0x0 beside 0x"):
            refuse_unmodelled(task, layout.generation)


@pytest.mark.parametrize("soc", ["rk3588", "rk3568"])
@pytest.mark.parametrize("more", [0x20, 0x40, 0x60, 0x80, 0x100])
def test_blocks_that_never_run_together_are_refused(soc: str, more: int) -> None:
    core, tasks = core_of(Net("dense", soc, "int8"))
    for task in tasks:
        with pytest.raises(UnmodelledError, match=r"blocks|OUTPUT_MODE"):
            core.run(replace(task, enable=task.enable | more))


@pytest.mark.parametrize(
    ("register", "bits"),
    [(0x4040, 0xF0000), (0x4060, 0xF0000), (0x4070, 0xF0000), (0x5034, 0xC), (0x200C, 0xCFFC)],
)
def test_bits_that_the_rk3568_has_elsewhere_are_not_lost_on_the_way(register: int, bits: int) -> None:
    core, tasks = core_of(Net("dense", "rk3568", "int8"))
    task = next(each for each in tasks if each.enable & CNA)
    raw = {key: np.array([value], np.uint32) for key, value in RAW_RK3568.items()}
    LITE.to_v2(plain := dict(raw), 1)
    for bit in (bit for bit in range(32) if bits >> bit & 1):
        columns = {**raw, register: raw[register] | np.uint32(1 << bit)}
        LITE.to_v2(columns, 1)
        moved = {key: int(value[0]) for key, value in columns.items() if value != plain[key]}
        assert moved, f"bit {bit}"
        with pytest.raises(UnmodelledError):
            core.run(replace(task, registers={**task.registers, **moved}))


RAW_RK3568 = {
    0x1068: 0x70011,
    0x200C: 1,
    0x3010: 0x90009,
    0x3014: 0x1F,
    0x3018: 0,
    0x4010: 0xE0,
    0x4040: 0x148,
    0x4060: 0x12,
    0x4070: 0x383,
    0x5034: 1,
}
"""Of the first convolution of `dense`, as the file has them."""


def test_a_model_without_a_graph_is_refused() -> None:
    with open_model(ERF) as model:
        empty = replace(model, contents=replace(model.contents, graphs=()))
        with pytest.raises(ModelError, match="it holds 0 graphs"):
            Executor(empty)


ERF = Path(__file__).parents[2] / "data/models/erf_rk3588_i8.rknn"
