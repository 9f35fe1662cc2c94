"""Damaged files: each refused with the offset and the field, none read past its end."""

from __future__ import annotations

import os
import shutil
import struct
from pathlib import Path

import pytest
from flat_writer import FlatWriter, Scalar, Table, Value, Vector
from rkbench.errors import ModelError
from rkbench.rknn import open_model
from rknn_writer import (
    MODELS,
    FileSpec,
    GraphSpec,
    NodeSpec,
    TensorSpec,
    opened,
    small_spec,
    write_container,
    write_model,
)

JSON = b'{"version": "2.5.0"}'


def refusal(data: bytes) -> ModelError:
    """Return the error that `data` is refused with; fail where it is not."""
    with pytest.raises(ModelError) as caught, opened(data):
        pass
    error = caught.value
    assert error.offset is not None
    assert error.field
    return error


def container(root: Table) -> bytes:
    return write_container(6, bytes(FlatWriter(root)), JSON)


def test_a_real_file_cut_at_every_64_bytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.rknn"
    shutil.copy(MODELS / "opt_remove_weight_True_rk3588_fp.rknn", path)
    steps = range(path.stat().st_size // 64 * 64, -1, -64)
    for size in steps:
        os.truncate(path, size)
        with pytest.raises(ModelError) as caught:
            open_model(path)
        assert caught.value.field in ("json_size", "payload_size", "header", "payload", "file")
        assert caught.value.offset is not None
        assert str(path) in caught.value.message
    assert len(steps) == 4194


def test_a_download_that_stopped_is_said_to_be_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "half.rknn"
    path.write_bytes((MODELS / "mb_gap7_rk3588_i8.rknn").read_bytes()[:300_000])
    with pytest.raises(ModelError) as caught:
        open_model(path)
    assert caught.value.message == (
        f"{path}: payload_size at byte 16: the file is cut off: "
        "the payload of 628736 bytes ends 328808 bytes past its end"
    )
    assert "copy or convert it again" in caught.value.hint


@pytest.mark.parametrize("version", [1, 2, 4, 6, 0x1004], ids=hex)
def test_a_payload_cut_at_every_8_bytes_is_refused_or_accounted_for(version: int) -> None:
    whole = write_model(small_spec(version))
    header, tail = (24 if version == 1 else 64), struct.pack("<Q", len(JSON)) + JSON
    refused = 0
    for size in range(16, len(whole) - header - 100, 8):
        cut = bytearray(whole[: header + size]) + tail
        struct.pack_into("<Q", cut, 16, size)
        try:
            with opened(bytes(cut)) as model:
                assert model.sections.total == len(cut)
        except ModelError as error:
            assert error.offset is not None
            assert error.field
            refused += 1
    assert refused > 100


@pytest.mark.parametrize("claim", [0x7FFFFFFF, 0xFFFFFFFF, 0x40000000], ids=hex)
@pytest.mark.parametrize("slot", [0, 1, 2, 3])
def test_a_vector_that_claims_four_gigabytes_is_refused(slot: int, claim: int) -> None:
    graph = GraphSpec((TensorSpec("a" * 41),), (NodeSpec("n"),), (0,), (0,))
    data = bytearray(write_model(FileSpec((graph,))))
    graphs = _follow(data, _field(data, _root(data), 2))
    vector = _follow(data, _field(data, _follow(data, graphs + 4), slot))
    struct.pack_into("<I", data, vector, claim)
    error = refusal(bytes(data))
    assert error.offset == vector
    assert f"claims {claim} items" in error.message


def test_a_string_that_claims_four_gigabytes_is_refused() -> None:
    data = bytearray(write_model(FileSpec((GraphSpec((TensorSpec("a" * 41),)),))))
    struct.pack_into("<I", data, data.index(b"a" * 41) - 4, 0xFFFFFFFF)
    assert refusal(bytes(data)).field == "tensor.name"


@pytest.mark.parametrize("claim", [1 << 31, (1 << 32) - 1], ids=hex)
def test_a_buffer_that_claims_four_gigabytes_is_refused(claim: int) -> None:
    data = bytearray(write_model(FileSpec((GraphSpec((TensorSpec("w", "weight", data=b"w" * 99),)),))))
    struct.pack_into("<I", data, data.index(b"w" * 99) - 4, claim)
    assert refusal(bytes(data)).field == "buffer.data"


@pytest.mark.parametrize("offset", [1 << 32, 1 << 63, (1 << 64) - 8], ids=hex)
def test_a_64_bit_buffer_offset_out_of_range_is_refused(offset: int) -> None:
    data = bytearray(write_model(FileSpec((GraphSpec((TensorSpec("w", "weight", data=b"w" * 99),)),))))
    buffers = _follow(data, _field(data, _root(data), 20))
    struct.pack_into("<Q", data, _field(data, _follow(data, buffers + 8), 0), offset)
    error = refusal(bytes(data))
    assert (error.field, "past the end" in error.message) == ("buffer.data", True)


@pytest.mark.parametrize("offset", [0xFFFFFFFF, 0x80000000, 0x7FFFFFFF])
def test_an_offset_out_of_range_is_refused(offset: int) -> None:
    data = bytearray(write_model(small_spec()))
    struct.pack_into("<I", data, _field(data, _root(data), 2), offset)
    assert refusal(bytes(data)).field == "model.graphs"


def test_a_field_list_before_the_file_is_refused() -> None:
    data = bytearray(write_model(small_spec()))
    struct.pack_into("<i", data, _root(data), 0x7FFFFFFF)
    assert refusal(bytes(data)).field == "model"


def test_graphs_that_are_all_the_same_table_are_refused_before_they_multiply() -> None:
    """A vector of 60,000 offsets to one graph of 200 tensors: 12 million tensors out of 300 kB."""
    graph = GraphSpec(tuple(TensorSpec(f"t{i}") for i in range(200)))
    spec = FileSpec((graph, *[GraphSpec()] * 60_000))
    data = bytearray(write_model(spec))
    graphs = _follow(data, _field(data, _root(data), 2))
    target = _follow(data, graphs + 4)
    for i in range(60_001):
        struct.pack_into("<I", data, graphs + 4 + 4 * i, (target - graphs - 4 - 4 * i) % (1 << 32))
    assert "more content than a file of its size" in refusal(bytes(data)).message


def test_tables_that_point_to_each_other_are_refused() -> None:
    """The graph's tensors are the root itself, whose slots then read as a tensor's."""
    data = bytearray(write_model(small_spec()))
    graphs = _follow(data, _field(data, _root(data), 2))
    graph = _follow(data, graphs + 4)
    tensors = _follow(data, _field(data, graph, 0))
    for i in range(8):
        struct.pack_into("<I", data, tensors + 4 + 4 * i, (graph - tensors - 4 - 4 * i) % (1 << 32))
    assert refusal(bytes(data)).field.startswith(("tensor.", "graph.", "model"))


@pytest.mark.parametrize(
    ("graph", "field"),
    [
        (GraphSpec((TensorSpec("x"),), inputs=(1,)), "graph.inputs"),
        (GraphSpec((TensorSpec("x"),), inputs=(-1,)), "graph.inputs"),
        (GraphSpec((TensorSpec("x"),), outputs=(7,)), "graph.outputs"),
        (GraphSpec((TensorSpec("x"),), (NodeSpec("n", inputs=(1,)),)), "node.inputs"),
        (GraphSpec((TensorSpec("x"),), (NodeSpec("n", outputs=(9,)),)), "node.outputs"),
    ],
)
def test_an_index_of_no_tensor_is_refused(graph: GraphSpec, field: str) -> None:
    assert refusal(write_model(FileSpec((graph,)))).field == field


def test_a_command_tensor_that_does_not_exist_is_refused() -> None:
    graph = GraphSpec((TensorSpec("x"),), (NodeSpec("n", commands=(3,)),))
    assert refusal(write_model(FileSpec((graph,), version=2))).field == "node.tasks"


def test_an_index_of_no_buffer_is_refused() -> None:
    tensor = Table({5: "w", 18: Scalar("I", 9)})
    root = Table({2: [Table({0: [tensor]})], 20: [Table({})]})
    assert refusal(container(root)).field == "tensor.buffer"


def test_buffers_that_overlap_are_refused_and_equal_ones_count_once() -> None:
    tensors = (TensorSpec("a", "weight", data=b"a" * 64), TensorSpec("b", "weight", data=b"b" * 64))
    data = bytearray(write_model(FileSpec((GraphSpec(tensors),))))
    first, second = data.index(b"a" * 64) - 4, data.index(b"b" * 64) - 4
    buffers = _follow(data, _field(data, _root(data), 20))
    field = _field(data, _follow(data, buffers + 12), 0)
    struct.pack_into("<Q", data, field, first - field)
    with opened(bytes(data)) as model:
        assert (model.sections.weights, model.sections.total) == (64, len(data))
    struct.pack_into("<I", data, first, second - first + 8)
    struct.pack_into("<Q", data, field, second - field)
    assert "overlaps another buffer" in refusal(bytes(data)).message


@pytest.mark.parametrize("document", [b"{", b"[1]", b"\xff\xfe", b"", b"[" * 100_000, b"1" * 5000])
def test_json_that_is_none_is_refused(document: bytes) -> None:
    payload = bytes(FlatWriter(Table({2: []})))
    assert refusal(write_container(6, payload, document)).field == "json"


def test_json_of_absurd_size_is_refused_before_it_is_parsed() -> None:
    payload = bytes(FlatWriter(Table({2: []})))
    assert "real ones hold" in refusal(write_container(6, payload, b"[1," * 400_000)).message


@pytest.mark.parametrize(("word", "value"), [(0, 1), (2, 1000), (5, 0xFFFFFFFF), (3, 0)])
def test_a_mini_header_whose_parts_do_not_fit_is_refused(word: int, value: int) -> None:
    data = bytearray(write_model(small_spec(0x1004)))
    struct.pack_into("<I", data, 64 + 4 * word, value)
    assert refusal(bytes(data)).field == "mini header"


def test_a_mini_constant_outside_the_weights_is_refused() -> None:
    tensor = Table({2: Scalar("B", 4), 5: "w", 8: Scalar("I", 100), 9: Scalar("I", 4000)})
    config = bytes(FlatWriter(Table({2: [Table({0: [tensor]})]})))
    payload = struct.pack("<6I", len(config), 0, 0, 0, 0, 64).ljust(64, b"\0") + bytes(64) + config
    assert refusal(write_container(0x1004, payload, JSON)).field == "tensor.offset"


def test_text_that_is_no_utf8_is_shown_not_refused() -> None:
    tensor: dict[int, Value] = {5: b"conv\xff", 4: Vector("i", (1, 2))}
    with opened(container(Table({2: [Table({0: [Table(tensor)]})]}))) as model:
        assert model.tensors[0].name == "conv\\xff"


def _root(data: bytearray) -> int:
    return _follow(data, 64)


def _follow(data: bytearray, at: int) -> int:
    return int(at + struct.unpack_from("<I", data, at)[0])


def _field(data: bytearray, table: int, slot: int) -> int:
    vtable = table - struct.unpack_from("<i", data, table)[0]
    return int(table + struct.unpack_from("<H", data, vtable + 4 + 2 * slot)[0])
