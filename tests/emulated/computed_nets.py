"""What emulated boards compute, and what it is held to: a virtual board's outputs, and onnxruntime's."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from emulated_board import EmulatedBoard
from numpy.typing import NDArray
from rkbench.npu.execute.executor import Executor
from rkbench.rknn import open_model

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests/host/npu"), str(ROOT / "tools/npu_nets")]

import converted  # noqa: E402 - the paths must be set first
import narrow  # noqa: E402
from made_nets import Net  # noqa: E402

SCRIPT = Path(__file__).with_name("npu_outputs.py")
Array = NDArray[Any]
Outputs = list[Array]


@dataclass(frozen=True)
class Computed:
    """A file, and one case of inputs as the runtime is fed: NHWC."""

    path: Path
    inputs: Array

    @cached_property
    def on_virtual_board(self) -> Outputs:
        """What the host computes of the file alone, flat."""
        with open_model(self.path) as model:
            outputs = Executor(model).run({"x": as_network(self.inputs).astype("float32")})
        return [array.ravel() for array in outputs.values()]

    def step(self, output: int) -> float:
        """What one step of an int8 output is worth."""
        with open_model(self.path) as model:
            return model.outputs[output].scale[0]


def as_network(inputs: Array) -> Array:
    """Return inputs as the network takes them: 4-D ones are fed NHWC."""
    return inputs.transpose(0, 3, 1, 2) if inputs.ndim == 4 else inputs


def full(name: str, soc: str) -> tuple[Computed, bytes]:
    """Return a net of the zoo in its own width, int8, and its ONNX; skips without the toolkit."""
    files = converted.converted(name, soc)
    if files is None:
        pytest.skip("no rknn-toolkit2: bench toolkit install")
    source = files[0].read_bytes()
    _, channels, height, width = onnxruntime.InferenceSession(source).get_inputs()[0].shape
    normal = np.random.default_rng(3).standard_normal((1, height, width, channels))
    with open_model(files[1]) as model:
        scale, zero_point = np.float32(model.inputs[0].scale[0]), model.inputs[0].zero_point[0]
    # Whole steps of int8: of another value's rounding, one pixel would change half of the outputs by a step.
    steps = np.clip(np.rint(normal / scale), -128 - zero_point, 127 - zero_point)
    return Computed(files[1], steps.astype("float32") * scale), source


def small(name: str, soc: str, dtype: str) -> Computed:
    """Return one of the small nets with its first case."""
    net = Net(name, soc, dtype)
    inputs = net.cases()[0]
    if inputs.ndim == 3:  # librknnrt 1.5.2 wraps such inputs beyond int8's range
        inputs = np.clip(inputs, -3, 3)
    return Computed(net.path, inputs)


def narrow_net(name: str, soc: str, dtype: str) -> Computed:
    """Return a narrow net of the zoo's architectures, with a case of its own."""
    shape = (1, 96, 96, 3)
    inputs = np.rint(np.random.default_rng(3).standard_normal(shape) * 32).astype("float32") / 32
    return Computed(narrow.OUTPUT / f"{name}_{soc}_{dtype}.rknn", inputs)


def expected(source: bytes, inputs: Array) -> Outputs:
    """Return what onnxruntime computes, flat."""
    session = onnxruntime.InferenceSession(source)
    return [array.ravel() for array in session.run(None, {"x": as_network(inputs)})]


@dataclass(frozen=True)
class Answer:
    """How one case went on the board."""

    exit_code: int
    text: str
    outputs: Outputs


def compute(board: EmulatedBoard, cases: dict[str, tuple[Computed, str, str]]) -> dict[str, Answer]:
    """Run cases, {name: (what, runtime, core mask)}, on a board of tier T3."""
    shutil.copytree(ROOT / "agent", board.folder / "agent", dirs_exist_ok=True)
    plan = {}
    for case, (what, runtime, core_mask) in cases.items():
        shutil.copy(what.path, board.folder / f"{case}.rknn")
        np.save(board.folder / f"{case}.inputs.npy", what.inputs)
        plan[case] = [f"/board/{case}.rknn", runtime, core_mask]
    (board.folder / "plan.json").write_text(json.dumps(plan))
    done = board.python(SCRIPT.read_text(), timeout_s=600, SOC=board.soc)
    assert done.returncode == 0, done.stderr
    told = json.loads((board.folder / "answers.json").read_text())
    return {case: Answer(**answer, outputs=_outputs(board, case)) for case, answer in told.items()}


def _outputs(board: EmulatedBoard, case: str) -> Outputs:
    path = board.folder / f"{case}.npz"
    if not path.exists():
        return []
    with np.load(path) as archive:
        return [archive[name].ravel() for name in archive]
