"""Damaged and hostile commands: a clear answer, in bounded time and memory."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rkbench.errors import ModelError
from rkbench.npu import predict_latency
from rkbench.npu.coverage import word_coverage
from rkbench.npu.generations import GENERATIONS, LITE, V2
from rkbench.npu.layout import RECORD, lay_out
from rkbench.npu.tasks import MOST_TASKS, decode
from rkbench.npu.words import describe_task
from rkbench.rknn import open_model
from rknn_writer import FileSpec, GraphSpec, NodeSpec, TensorSpec, write_model

SAMPLE = Path(__file__).parents[2] / "data/npu/depthwise_rk3588_int8.rknn"
FUZZED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
MOST_BYTES = 80_000_000


def written(
    folder: Path,
    records: bytes,
    commands: bytes = bytes(64),
    more: tuple[TensorSpec, ...] = (),
    relocations: tuple[tuple[str, tuple[int, ...]], ...] = (),
    **changes: object,
) -> Path:
    """Write a model of one layer with these task records and commands."""
    tensors = (
        TensorSpec("x", "input"),
        TensorSpec("y", "output", arena_offset=4096),
        TensorSpec("c", "register_commands", data=commands),
        TensorSpec("t", "tasks", data=records),
        *more,
    )
    nodes = (NodeSpec("Conv:y", inputs=(0,), outputs=(1,)),)
    graph = GraphSpec(tensors, nodes, inputs=(0,), outputs=(1,), relocations=relocations)
    spec = FileSpec(graphs=(graph,), **{"npu_generation": "RKNPU v2", "target": "rk3588", **changes})
    path = folder / "made.rknn"
    path.write_bytes(write_model(spec))
    return path


def test_what_a_graph_leaves_out_has_no_memory_and_the_rest_is_read(tmp_path: Path) -> None:
    """As in Silero's, whose LSTM writes states that nothing reads: the nameless tensor."""
    nameless = TensorSpec("", "null", dtype="", shape=())
    path = written(tmp_path, record(), more=(nameless,), relocations=(("", (1 << 32,)), ("y", (2 << 32,))))
    with open_model(path) as model:
        layout = lay_out(model)
        assert layout.words[1] == 0
        assert layout.words[2] == layout.addresses[1] << 16
    assert predict_latency(path).latency_s >= 0


def test_a_file_that_computes_on_the_cpu_alone_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds no NPU tasks: all its layers compute on the CPU"):
        predict_latency(written(tmp_path, b"", b""))


def test_a_relocation_of_what_is_not_there_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, record(), relocations=(("w", (1 << 32,)),))
    with open_model(path) as model, pytest.raises(ModelError, match="relocations of 'w' point outside"):
        lay_out(model)


def test_tensors_of_one_buffer_lie_in_memory_once(tmp_path: Path) -> None:
    weights = bytes(range(256)) * 4096
    copies = tuple(TensorSpec(f"w{i}", "weight", data=weights, same_buffer_as=4) for i in range(100))
    path = written(tmp_path, record(), more=(TensorSpec("w", "weight", data=weights), *copies))
    with open_model(path) as model:
        layout = lay_out(model)
        (address,) = {layout.addresses[tensor.index] for tensor in model.tensors if tensor.kind == "weight"}
        memory = layout.memory()
    assert len(memory) < 2 * len(weights)
    assert memory[address : address + len(weights)].tobytes() == weights


def record(**fields: int) -> bytes:
    made = np.zeros(1, RECORD)
    for name, value in fields.items():
        made[name] = value
    return made.tobytes()


@pytest.mark.parametrize(
    "bad",
    [
        record(node=7),
        record(amount=9),
        record(amount=2**32 - 1),
        record(address=2**64 - 8, amount=1),
        record(address=2**63, amount=2**32 - 1),
    ],
)
def test_a_record_that_points_outside_is_named(tmp_path: Path, bad: bytes) -> None:
    with open_model(written(tmp_path, bad)) as model, pytest.raises(ModelError, match="task 0 of 1"):
        lay_out(model)


def test_more_tasks_than_any_file_holds_are_refused_cheaply(tmp_path: Path) -> None:
    path = written(tmp_path, record(amount=1) * (MOST_TASKS + 1))
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match=f"{MOST_TASKS + 1} tasks"):
            predict_latency(path)
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()


def with_a_vast_buffer(path: Path, holds: bytes, size_bytes: int) -> Path:
    """Write a model again with the buffer that holds this at its end, of zeros, which take no room."""
    raw = path.read_bytes()
    payload = bytearray(raw[64 : 64 + struct.unpack_from("<Q", raw, 16)[0]])
    document = raw[64 + len(payload) :]
    at = payload.index(holds) - 4
    (refers,) = (i for i in range(len(payload) - 8) if struct.unpack_from("<Q", payload, i)[0] == at - i)
    payload += bytes(-len(payload) % 8 + 4)
    struct.pack_into("<Q", payload, refers, len(payload) - refers)
    payload += struct.pack("<I", size_bytes)
    with path.open("wb") as stream:
        stream.write(raw[:16] + struct.pack("<Q", len(payload) + size_bytes) + raw[24:64] + payload)
        stream.seek(size_bytes, 1)
        stream.write(document)
    return path


RECORDS, WORDS = b"records!" * 5, b"commands" * 8


@pytest.mark.parametrize(
    ("holds", "size_bytes", "why"),
    [
        (RECORDS, 4_000_000_000, "100000000 NPU tasks, read are up to 16000000"),
        (WORDS, 4_000_000_000, "4000000000 bytes of register commands, read are up to 134217728"),
    ],
)
def test_what_no_file_holds_is_refused_unread(
    tmp_path: Path, holds: bytes, size_bytes: int, why: str
) -> None:
    path = with_a_vast_buffer(written(tmp_path, RECORDS, WORDS), holds, size_bytes)
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match=why):
            predict_latency(path)
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()


def test_a_vast_list_of_commands_is_attributed_unread(tmp_path: Path) -> None:
    path = with_a_vast_buffer(written(tmp_path, record(), WORDS), WORDS, 1_000_000_000)
    tracemalloc.start()
    try:
        with open_model(path) as model:
            assert model.layers[0].register_command_bytes == 1_000_000_000
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"npu_generation": "RKNPU f2", "target": "rk3576"}, r"it is for rk3576 \(RKNPU f2\)"),
        ({"npu_generation": "RKNPU t4", "target": "rk3562"}, r"it is for rk3562 \(RKNPU t4\)"),
        ({"npu_generation": "RKNPU f3", "target": "rv1126b"}, r"it is for rv1126b \(RKNPU f3\)"),
    ],
)
def test_other_npus_are_refused_by_name(tmp_path: Path, changes: dict[str, object], why: str) -> None:
    with pytest.raises(ModelError, match=why):
        predict_latency(written(tmp_path, record(amount=1), **changes))


@pytest.mark.parametrize("version", [2, 4])
def test_older_containers_are_refused_by_name(tmp_path: Path, version: int) -> None:
    with pytest.raises(ModelError, match=f"its container is version {version}, tasks are read of 6"):
        predict_latency(written(tmp_path, record(amount=1), version=version))


@FUZZED
@given(st.data())
def test_any_words_are_decoded_told_and_counted(data: st.DataObject) -> None:
    generation = data.draw(st.sampled_from([V2, LITE]))
    values = data.draw(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=60))
    likely = data.draw(
        st.lists(st.tuples(st.integers(0x1000, 0x7FFF), st.integers(0, 2**32 - 1)), max_size=60)
    )
    words = np.array([*values, *(0x1001 << 48 | v << 16 | r for r, v in likely)], np.uint64)
    count = data.draw(st.integers(1, 6))
    start = np.array(data.draw(st.lists(st.integers(0, len(words)), min_size=count, max_size=count)))
    enable = np.array(data.draw(st.lists(st.integers(0, 2**32 - 1), min_size=count, max_size=count)))
    tasks = decode(generation, words, start, len(words) - start, enable)
    assert all(describe_task(task, generation) for task in tasks)
    assert word_coverage(words, generation).explained_ratio <= 1


@FUZZED
@given(st.integers(0, 10**6), st.binary(min_size=1, max_size=40))
def test_a_sample_with_bytes_changed_is_predicted_or_refused(tmp_path: Path, at: int, junk: bytes) -> None:
    raw = bytearray(SAMPLE.read_bytes())
    place = at % (len(raw) - len(junk))
    raw[place : place + len(junk)] = junk
    path = tmp_path / "damaged.rknn"
    path.write_bytes(raw)
    try:
        assert predict_latency(path).latency_s >= 0
    except ModelError as error:
        assert error.message


def test_generations_are_named_as_files_spell_them() -> None:
    assert sorted(GENERATIONS) == ["RKNPU lite", "RKNPU v2"]
