"""Files whose parts do not fit together: refused by name, and never read otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_nets import Net
from rkbench.errors import ModelError
from rkbench.npu.execute.executor import Executor
from rkbench.npu.layout import RECORD, lay_out
from rkbench.npu.predict import predict_latency
from rkbench.npu.tasks import decode_tasks
from rkbench.rknn import open_model
from rknn_writer import FileSpec, GraphSpec, NodeSpec, TensorSpec, write_model

RECORDS = np.zeros(1, RECORD).tobytes()


@pytest.mark.parametrize("soc", ["rk3588", "rk3568"])
@pytest.mark.parametrize(
    ("counted", "words"),
    [
        ((1 << 30, 0, 0, 0, 0, 0), "which cores run what cannot be told"),
        ((-1, 1, 1, 1, 1, 1), "which cores run what cannot be told"),
        ((1, 1 << 20, 0, 0, 0, 0), r"it counts \d+ tasks, and it holds"),
        ((0, 0, 7, 0, 0, 0), "which cores run what cannot be told"),
    ],
)
def test_counts_that_the_records_do_not_bear_out_are_refused(
    soc: str, counted: tuple[int, ...], words: str
) -> None:
    with open_model(Net("dense", soc, "int8").path) as model:
        layout = lay_out(model)
        nodes = layout.graph.nodes
        at = next(i for i, node in enumerate(nodes) if node.target == "NPU")
        wrong = (*nodes[:at], replace(nodes[at], task_counts=counted), *nodes[at + 1 :])
        with pytest.raises(ModelError, match=words):
            decode_tasks(replace(layout, graph=replace(layout.graph, nodes=wrong)))


@pytest.mark.parametrize("soc", ["rk3588", "rk3568"])
@pytest.mark.parametrize("by_bytes", [1, 4])
def test_commands_that_begin_inside_a_word_are_refused(tmp_path: Path, soc: str, by_bytes: int) -> None:
    path = Net("dense", soc, "int8").path
    data = bytearray(path.read_bytes())
    with open_model(path) as model:
        tasks = next(tensor for tensor in model.tensors if tensor.kind == "tasks")
        begins = model.contents.buffers[tasks.buffer_index].offset
    records = np.frombuffer(data, RECORD, count=2, offset=begins)
    records["address"][1] += by_bytes
    changed = tmp_path / "changed.rknn"
    changed.write_bytes(data)
    with pytest.raises(
        ModelError, match=f"task 1 of .* begin at byte {records['address'][1]}, which is inside"
    ):
        predict_latency(changed)


@pytest.mark.parametrize(("held_bytes", "fits"), [(4096, True), (4160, False)])
def test_a_constant_that_is_larger_than_its_place_in_another_graph_is_refused(
    tmp_path: Path, held_bytes: int, *, fits: bool
) -> None:
    commands = TensorSpec("regcmd", "register_commands", data=bytes(8))
    node = NodeSpec("Conv:a", task_counts=(1, 0, 0, 0, 0, 0))
    graphs = tuple(
        GraphSpec((TensorSpec("w", "weight", data=data, size_bytes=4096), commands, tasks), (node,))
        for data, tasks in (
            (b"\7" * held_bytes, TensorSpec("task", "tasks", data=RECORDS)),
            (b"", TensorSpec("task", "tasks", data=RECORDS)),
        )
    )
    path = tmp_path / "two.rknn"
    path.write_bytes(write_model(FileSpec(graphs)))
    with open_model(path) as model:
        layout = lay_out(model, 1)
        if fits:
            address = next(iter(layout.addresses.values()))
            assert layout.memory()[address : address + 4096].tolist() == [7] * 4096
        else:
            with pytest.raises(ModelError, match=r"'w' takes 4096 bytes in graph 1, and .* has 4160"):
                layout.memory()


@pytest.mark.parametrize("version", [1, 2, 3, 4, 5])
def test_an_older_container_is_refused_by_its_number(tmp_path: Path, version: int) -> None:
    path = tmp_path / "older.rknn"
    path.write_bytes(write_model(FileSpec(version=version)))
    words = f"its container is version {version}, tasks are read of 6"
    with open_model(path) as model, pytest.raises(ModelError, match=words):
        Executor(model)
    with pytest.raises(ModelError, match=words):
        predict_latency(path)


def test_weights_of_four_bits_are_refused_by_their_soc_which_alone_has_them() -> None:
    """The toolkit (2.5.0) makes them for the rk3576 and refuses the rk3588 and rk3568."""
    path = Path(__file__).parents[2] / "data/models/causes/conv1x1_conv1x1.rk3576.w4a16.rknn"
    with open_model(path) as model, pytest.raises(ModelError, match="cannot be decoded: it is for rk3576"):
        Executor(model)
