"""The 36 nets of tests/data/npu: nine small networks, two precisions, two SoCs, and what the vendor said."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rkbench.npu.execute.executor import Executor
from rkbench.rknn import open_model

FOLDER = Path(__file__).parents[2] / "data/npu"
NAMES = ("dense", "depthwise", "residual", "pools", "gates", "swishes", "squeeze", "neck", "classifier")
SOCS = ("rk3588", "rk3568")
Array = NDArray[Any]


@dataclass(frozen=True)
class Net:
    """One of the 36 files."""

    name: str
    soc: str
    dtype: str

    @property
    def path(self) -> Path:
        return FOLDER / f"{self.name}_{self.soc}_{self.dtype}.rknn"

    def cases(self) -> Array:
        """The inputs as the simulator was fed: (cases, 1, height, width, channels), 3-D as they are."""
        with np.load(FOLDER / f"{self.name}.inputs.npz") as archive:
            return archive["inputs/x"]

    def simulated(self) -> Array:
        """The simulator's outputs: (cases, *shape)."""
        with np.load(self.path.with_suffix(".npz")) as archive:
            return archive[next(key for key in archive if key.startswith("outputs/"))]

    def computed(self) -> Array:
        """Ours."""
        with open_model(self.path) as model:
            executor = Executor(model)
            fed = [case.transpose(0, 3, 1, 2) if case.ndim == 4 else case for case in self.cases()]
            cases = [executor.run({"x": case}) for case in fed]
        return np.stack([next(iter(case.values())) for case in cases])

    @property
    def step(self) -> float:
        """What one step of its int8 output is worth."""
        with open_model(self.path) as model:
            return model.outputs[0].scale[0]


OF_TRANSFORMERS = tuple(
    Net(name, soc, dtype)
    for name in ("transpose", "normalization", "softmax", "transformer")
    for soc in (SOCS if name == "normalization" else SOCS[:1])
    for dtype in ("fp16", "int8")
)
OF_SHAPES = (
    *(
        Net(name, soc, dtype)
        for name in ("enlarged", "repeated", "deconvolved", "pictures", "clipped")
        for soc in SOCS
        for dtype in ("fp16", "int8")
    ),
    *(Net("roots", soc, "fp16") for soc in SOCS),
)
ON_CPU = tuple(
    Net(name, soc, dtype) for name in ("focused", "largest") for soc in SOCS for dtype in ("fp16", "int8")
)
TILED = Net("tiled", "rk3588", "fp16")
JOINED = Net("joined", "rk3588", "int8")
NETS = tuple(Net(name, soc, dtype) for name in NAMES for soc in SOCS for dtype in ("fp16", "int8"))


@dataclass(frozen=True)
class Agreement:
    """How far two arrays are apart."""

    values: int
    equal: float
    """Share of values."""
    largest: float
    """Difference, in steps of int8, or in units of the last place of fp16 at the output's largest value."""


def agreement(net: Net) -> Agreement:
    """Hold ours against the simulator's, over all cases."""
    computed, simulated = net.computed(), net.simulated()
    apart = np.abs(computed.reshape(simulated.shape).astype(float) - simulated)
    if net.dtype == "int8":
        apart = np.rint(apart / net.step)
    else:
        apart = apart / float(np.spacing(np.float16(np.abs(simulated).max())))
    return Agreement(simulated.size, float(np.mean(apart == 0)), float(apart.max()))
