"""All samples decoded: nothing in them that nobody has explained, and the geometry of their ONNX."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from rkbench.npu import fields as f
from rkbench.npu.coverage import coverage
from rkbench.npu.layout import Layout, lay_out
from rkbench.npu.tasks import CNA, TaskList, decode_tasks
from rkbench.npu.words import input_channels
from rkbench.rknn import open_model
from rkbench.rknn.contents import Layer
from rknn_writer import MODELS

DEMO = Path(__file__).parents[3] / "host/rkbench/demo/data"
NETS = MODELS.parent / "npu"
#: `depthwise` and `neck` of the nets, int8, converted by older toolkits.
OLDER = NETS / "toolkits"
SAMPLES = sorted(
    path
    for folder in (MODELS, DEMO, NETS, OLDER)
    for path in folder.glob("*.rknn")
    if "mini" not in path.name
)
#: What real files hold and nobody has explained, by NPU. A name that is not here is new: a toolkit does
#: something that `rkbench.npu` does not know, and what it decodes of such files is not to be trusted.
UNKNOWN = {
    "RKNPU v2": set(),
    "RKNPU lite": {"0x5024", "0x5030", "0x503c", "0x604c", "0x6050", "0x7018"},
}
RESERVED = {
    "RKNPU v2": {"CNA.CONV_CON2", "CNA.CBUF_CON1"},
    "RKNPU lite": {
        "CNA.CBUF_CON1",
        "CNA.DMA_CON0",
        "DPU_RDMA.BRDMA_CFG",
        "DPU_RDMA.FEATURE_MODE_CFG",  # bit 18: both readers take turns
        "DPU_RDMA.NRDMA_CFG",
        "PPU.PADDING_VALUE_2_CFG",
    },
}
LEAST_EXPLAINED = {"RKNPU v2": 0.999, "RKNPU lite": 0.98}


@dataclass(frozen=True)
class Wanted:
    """A convolution as the ONNX has it."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]


def layout_of(path: Path) -> Layout:
    with open_model(path) as model:
        return lay_out(model)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_no_command_is_new(path: Path) -> None:
    layout = layout_of(path)
    found, generation = coverage(layout), layout.generation.name
    assert {word.what for word in found.unknown} - UNKNOWN[generation] == set()
    assert {word.what.split(" bits ")[0] for word in found.reserved} - RESERVED[generation] == set()


@pytest.mark.parametrize("generation", sorted(LEAST_EXPLAINED))
def test_nearly_all_words_write_documented_registers(generation: str) -> None:
    layouts = [layout for layout in map(layout_of, SAMPLES) if layout.generation.name == generation]
    found = [coverage(layout) for layout in layouts]
    explained, nonzero = sum(item.explained for item in found), sum(item.nonzero for item in found)
    assert explained / nonzero >= LEAST_EXPLAINED[generation]


def test_every_toolkit_at_hand_is_among_the_samples() -> None:
    versions = set()
    for path in SAMPLES:
        with open_model(path) as model:
            versions.add(model.file.toolkit_version)
    assert {"2.2.0", "2.3.0", "2.3.2", "2.5.0"} <= versions


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_every_convolution_has_the_geometry_that_the_file_states(path: Path) -> None:
    with open_model(path) as model:
        tasks = decode_tasks(lay_out(model))
        checked = 0
        for number, at in convolutions(tasks):
            node = model.graphs[0].nodes[number]
            if node.convolution is None:
                continue
            told = node.convolution
            wanted = Wanted(told.kernel, told.strides, told.dilations)
            assert geometry(tasks, at) == {with_defaults(wanted)}, node.name
            if "Add" not in node.type or node.type.startswith("Conv"):
                shape = model.tensors[node.outputs[0]].shape
                wanted_values = np.prod(shape)
                # int8 kernels of the RK3588 come in pairs.
                assert values(tasks, at) in (wanted_values, wanted_values // shape[1] * (shape[1] + 1)), (
                    node.name
                )
            checked += 1
        assert checked or not any(node.convolution for node in model.graphs[0].nodes)


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.onnx")), ids=lambda path: path.stem)
def test_every_convolution_has_the_geometry_of_its_onnx(path: Path) -> None:
    nodes = dict(onnx_convolutions(path))
    for converted in MODELS.glob(f"{path.stem}_rk*.rknn"):
        with open_model(converted) as model:
            tasks = decode_tasks(lay_out(model))
            named = {model.layers[n].onnx_node: at for n, at in convolutions(tasks) if plain(model.layers[n])}
        assert set(named) & set(nodes)
        for name, at in named.items():
            if name in nodes:
                assert geometry(tasks, at) == {nodes[name]}, name


def plain(layer: Layer) -> bool:
    """Tell whether a layer is the convolution that it is named after."""
    return layer.rewrite in (None, "group", "dense_tile")


def convolutions(tasks: TaskList) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the nodes with tasks of the convolution's block, and those tasks."""
    for number, at in tasks.nodes.items():
        chosen = at[tasks.runs(CNA)[at]]
        if len(chosen):
            yield number, chosen


def geometry(tasks: TaskList, at: np.ndarray) -> set[Wanted]:
    found = set()
    for i in at.tolist():
        task = tasks.task(i)
        found.add(
            Wanted(
                (task.get(f.KERNEL_HEIGHT), task.get(f.KERNEL_WIDTH)),
                (task.get(f.STRIDE_Y), task.get(f.STRIDE_X)),
                (task.get(f.DILATION_Y) + 1, task.get(f.DILATION_X) + 1),
            )
        )
    return found


def values(tasks: TaskList, at: np.ndarray) -> int:
    """Return how many values the tasks compute, by their tiles."""
    total = 0
    for i in at.tolist():
        task = tasks.task(i)
        depthwise = task.get(f.CONV_MODE) == f.DEPTHWISE
        total += task.get(f.OUT_PIXELS) * (
            input_channels(task, tasks.generation) if depthwise else task.get(f.KERNELS)
        )
    return total


def with_defaults(wanted: Wanted) -> Wanted:
    def two(given: tuple[int, ...]) -> tuple[int, ...]:
        return (*given, 1, 1)[:2] if len(given) != 1 else (given[0], 1)

    return Wanted(two(wanted.kernel), two(wanted.strides), two(wanted.dilations))


def onnx_convolutions(path: Path) -> Iterator[tuple[str, Wanted]]:
    graph = onnx.load(path).graph
    shapes = {weight.name: tuple(weight.dims) for weight in graph.initializer}
    for node in graph.node:
        if node.op_type == "Conv":
            given = {item.name: tuple(item.ints) for item in node.attribute}
            kernel = shapes[node.input[1]][2:]
            yield (
                node.name or node.output[0],
                with_defaults(Wanted(kernel, given.get("strides", ()), given.get("dilations", ()))),
            )
