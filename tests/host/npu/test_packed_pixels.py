"""Damaged fetches of packed pixels, and tensors and relocations beyond their memory: refused by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_nets import Net
from rkbench.errors import ModelError, NotModelledError
from rkbench.npu.execute.cubes import AddressSpace
from rkbench.npu.execute.executor import ARGB_IN, OF_THE_RUNTIME, Executor
from rkbench.npu.execute.fields import UnmodelledError
from rkbench.npu.execute.tensors import Tensors
from rkbench.npu.layout import BASE, RELOCATION_SLOT, lay_out, read_commands
from rkbench.npu.tasks import CNA, decode_tasks
from rkbench.rknn import open_model
from rkbench.rknn.structure import payload_tables

LINE_STRIDE, FEATURE_DATA_ADDR, WIDTH_AND_HEIGHT, WEIGHTS = 0x107C, 0x1070, 0x1020, 0x1110
NETS = [Net("dense", "rk3588", "fp16"), Net("dense", "rk3588", "int8"), Net("dense", "rk3568", "int8")]
Change = Callable[[int], int]


def word_of(net: Net, register: int) -> int:
    """The index of the word by which the first layer, whose input is packed pixels, writes a register."""
    with open_model(net.path) as model:
        layout = lay_out(model)
        tasks, nodes = decode_tasks(layout), layout.graph.nodes
        positions = np.flatnonzero(tasks.runs(CNA) & (tasks.bits(*ARGB_IN) > 0))
        first = next(
            tasks.task(int(p)) for p in positions if nodes[tasks.task(int(p)).node].type not in OF_THE_RUNTIME
        )
        record = layout.records[first.index]
        start = int(record["address"]) // 8
        words = layout.words[start : start + int(record["amount"])]
        return start + int(np.flatnonzero(words & np.uint64(0xFFFF) == register)[0])


def with_value(net: Net, register: int, change: Change, folder: Path) -> Path:
    """The file with another value in one command word."""
    index, data = word_of(net, register), bytearray(net.path.read_bytes())
    with open_model(net.path) as model:
        words, _ = read_commands(model, model.graphs[0])
    at = data.index(words.tobytes()) + 8 * index + 2
    data[at : at + 4] = change(int.from_bytes(data[at : at + 4], "little")).to_bytes(4, "little")
    return written(folder, data)


def with_offset(net: Net, register: int, offset: int, folder: Path) -> Path:
    """The file with another offset where it says that one command word gets an address."""
    index, data = word_of(net, register), bytearray(net.path.read_bytes())
    with open_model(net.path) as model, payload_tables(model) as tables:
        entries = next(iter(tables)).tables(RELOCATION_SLOT, "relocations")
        lists = [bytes(entry.raw(1, 8, "positions")) for entry in entries]
    raw = next(each for each in lists if index in np.frombuffer(each, "<u8") >> np.uint64(32))
    counted = (len(raw) // 8).to_bytes(4, "little") + raw
    assert data.count(counted) == 1
    first = int(np.flatnonzero(np.frombuffer(raw, "<u8") >> np.uint64(32) == index)[0])
    at = data.index(counted) + 4 + 8 * first
    data[at : at + 4] = offset.to_bytes(4, "little")
    return written(folder, data)


def written(folder: Path, data: bytes) -> Path:
    path = folder / "damaged.rknn"
    path.write_bytes(data)
    return path


def compute(path: Path) -> None:
    with open_model(path) as model:
        executor = Executor(model)
        executor.run({"x": np.ones((1, 3, 20, 20), "float32")})


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("bit", [0, 3, 6, 10, 15])
def test_a_pitch_that_the_input_does_not_have_is_refused(net: Net, bit: int, tmp_path: Path) -> None:
    damaged = with_value(net, LINE_STRIDE, lambda value: value ^ 1 << bit, tmp_path)
    with pytest.raises(NotModelledError, match=r"layer 'Conv.*packed pixels"):
        compute(damaged)


@pytest.mark.parametrize("net", NETS)
def test_a_part_of_each_line_is_refused(net: Net, tmp_path: Path) -> None:
    damaged = with_value(net, WIDTH_AND_HEIGHT, lambda value: value ^ 1 << 18, tmp_path)  # 16 of 20 pixels
    with pytest.raises(NotModelledError, match="packed pixels"):
        compute(damaged)


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("offset", [1, 64, 120, 1000])
def test_pixels_from_elsewhere_in_the_input_are_refused(net: Net, offset: int, tmp_path: Path) -> None:
    with pytest.raises(NotModelledError, match="packed pixels"):
        compute(with_offset(net, FEATURE_DATA_ADDR, offset, tmp_path))


@pytest.mark.parametrize("net", NETS)
def test_an_address_beyond_its_tensor_is_refused(net: Net, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"relocations of .* point outside"):
        compute(with_offset(net, WEIGHTS, 1 << 16, tmp_path))


@pytest.mark.parametrize("held", [0, 1199])
def test_a_tensor_larger_than_its_memory_is_neither_written_nor_read(held: int) -> None:
    with open_model(NETS[1].path) as model:
        tensor = replace(model.inputs[0], size_bytes=held)
    memory = AddressSpace(np.zeros(BASE + 4096, np.uint8), 16, BASE)
    tensors = Tensors(memory, {tensor.index: BASE})
    with pytest.raises(UnmodelledError, match=f"of 1200 bytes in {held}"):
        tensors.write_stored(tensor, np.ones(tensor.shape, np.int8))
    with pytest.raises(UnmodelledError, match=f"of 1200 bytes in {held}"):
        tensors.stored(tensor)
    assert not memory.data.any()
