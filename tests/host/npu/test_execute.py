"""The NPU model against the vendor's simulator."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_nets import JOINED, NETS, OF_SHAPES, ON_CPU, SOCS, TILED, Array, Net, agreement
from net_cores import core_of
from rkbench.npu.execute.conversion import Conversion
from rkbench.npu.execute.convolution import read_accumulators
from rkbench.npu.execute.executor import Executor
from rkbench.npu.execute.fields import TaskRegisters
from rkbench.npu.execute.output import read_output_stage
from rkbench.npu.execute.tensors import Tensors
from rkbench.npu.layout import lay_out
from rkbench.npu.tasks import CNA
from rkbench.rknn import open_model
from rkbench.variants.computation import network_inputs

LEAST_EQUAL = {
    # The simulator rounds what its hard sigmoid takes to int8; the two tests below hold that to the values.
    "gates": 0.75,
    "classifier": 0.7,
}


@pytest.mark.parametrize("net", (*NETS, *OF_SHAPES, *ON_CPU, TILED, JOINED), ids=lambda net: net.path.stem)
def test_outputs_agree_with_the_vendors_simulator(net: Net) -> None:
    found = agreement(net)
    assert found.largest <= 2
    if net.dtype == "int8":
        assert found.equal >= LEAST_EQUAL.get(net.name, 0.89)


@pytest.mark.parametrize("soc", SOCS)
def test_a_hard_sigmoid_whose_steps_are_those_of_its_output_agrees(soc: str) -> None:
    found = agreement(Net("gates_on_steps", soc, "int8"))
    assert found.equal > 0.98
    assert found.largest == 1


@pytest.mark.parametrize("soc", SOCS)
def test_the_simulators_hard_sigmoid_is_ours_of_a_convolution_rounded_to_int8(soc: str) -> None:
    net = Net("gates", soc, "int8")
    exact = before_the_table(net, 1) * (2.5 / TABLE_END)
    rounded = (np.clip(np.rint(exact / CONVOLUTION_SCALE) - 3, -128, 127) + 3) * CONVOLUTION_SCALE
    steps = np.rint(np.clip(0.2 * rounded + 0.5, 0, 1) / net.step)
    apart = np.abs(steps - np.rint(net.simulated()[1, 0] / net.step))
    assert np.mean(apart == 0) > 0.98
    assert apart.max() == 1


CONVOLUTION_SCALE = 0.019169155610542672
"""In the converter's table for `gates.onnx` (hybrid_quantization_step1), with zero point -3."""
TABLE_END = 1 << 14
"""The table's last place: where the hard sigmoid reaches 1, at 2.5."""


def before_the_table(net: Net, case: int) -> Array:
    """What the last layer takes into its activation table: (channels, height, width)."""
    core, tasks = core_of(net)
    made: dict[str, Array] = {}
    with open_model(net.path) as model:
        layout = lay_out(model)
        image = net.cases()[case].transpose(0, 3, 1, 2)
        Executor(model).run({"x": image}, lambda _, values: made.update(values))
        taken = model.tensors[layout.graph.nodes[tasks[-1].node].inputs[0]]
        Tensors(core.memory, layout.addresses).write(taken, made[taken.name])
    found = []
    for task in tasks:
        if task.node < tasks[-1].node or not task.enable & CNA:
            continue
        source = read_accumulators(TaskRegisters(task.registers), core.memory, core.generation)
        stage = read_output_stage(TaskRegisters(task.registers), core.memory, NO_ENTRIES)
        bare = replace(stage, elementwise=None, conversion=Conversion(np.dtype("i4"), 0, 1, 1.0, False))
        accumulators, sums = source.lines(0, source.height, with_sums=True)
        found.append(bare.apply(accumulators, 0, sums))
    channels = net.simulated().shape[-3]
    return np.concatenate(found)[..., :channels].transpose(2, 0, 1)


NO_ENTRIES = np.zeros((2, 513), np.int16)


DEMO = Path(__file__).parents[3] / "host/rkbench/demo/data"


@pytest.mark.parametrize("name", ["fp16", "int8", "regrouped.fp16", "regrouped.int8"])
def test_the_demos_variants_agree_with_their_replays(name: str) -> None:
    with np.load(DEMO / "golden.npz") as golden, np.load(DEMO / f"digits.{name}.replay.npz") as replay:
        case, expected = golden["inputs/image"][0], replay["outputs/logits"]
        row = replay["digests"].tolist().index(hashlib.sha256(case.tobytes()).hexdigest())
    with open_model(DEMO / f"digits.{name}.rknn") as model:
        computed = Executor(model).run(network_inputs(model, (case,)))["logits"]
    assert np.abs(computed - expected[row]).max() < (0.07 if "int8" in name else 0.01)
