"""The latency of the virtual NPU. Nobody measured it: every number is marked `predicted` or `modelled`.

The run's median is what the host predicts of the file's tasks (`wire.plan.PredictedRun`). Where it predicts
nothing, and for copies always, it is of a rough model:

    run         = overhead + bytes / bandwidth + tasks x task_cost
    set_inputs  = copy_overhead + input bytes / copy_bandwidth
    get_outputs = copy_overhead + output bytes / copy_bandwidth
    bytes       = NPU weight bytes + NPU internal bytes (each is moved at least once per inference);
                  the file's size where the file's own figures are not known

Each run is lengthened by |N(0, 1)| x 1 % out of a generator that is seeded anew for each load, so that
percentiles differ from load to load and a repeated push is equal; the median of a prediction is not moved by
it. The constants are assumptions of plausible size (LPDDR4X/LPDDR4 at roughly half of its peak), chosen so
that a mobilenet_v1 comes out in the order of the published 2.1 ms.
`virtual_npu` says what several cores make of it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Optional, Sequence

import numpy as np

from rkbench_agent.runtimes.behaviour import Behaviour
from rkbench_agent.runtimes.staged import Staged, interference_ns, random_of_load
from rkbench_agent.runtimes.virtual_board import VirtualBoardModel
from rkbench_agent.wire.plan import RunSpec, TensorSpec

JITTER_RATIO = 0.01
#: By what the jitter lengthens the median: the upper quartile of N(0, 1) is 0.6745.
MEDIAN_JITTER = 1.0 + JITTER_RATIO * 0.6745


@dataclass(frozen=True)
class NpuModel:
    """Assumed constants of one SoC."""

    overhead_ns: int
    bytes_per_s: float
    task_ns: int
    copy_overhead_ns: int
    copy_bytes_per_s: float


RK3588 = NpuModel(250_000, 12e9, 4_000, 15_000, 3e9)
RK3568 = NpuModel(600_000, 4e9, 9_000, 30_000, 1.2e9)
MODELS = {"rk3588": RK3588, "rk3568": RK3568, "rk3566": RK3568}


@dataclass(frozen=True)
class Work:
    """What one inference moves and runs; `predicted_ns` is what its run takes, where that is known better."""

    memory_bytes: int
    tasks: int
    input_bytes: int
    output_bytes: int
    predicted_ns: Optional[float] = None


class LatencyModel:
    """Yields the stage times of one inference after the other.

    `root` is the tree whose sensors the behaviour file moves; `speedup` is what the core mask yields.
    """

    def __init__(
        self,
        soc: Optional[str],
        work: Work,
        behaviour: Behaviour,
        seed: int,
        root: Optional[Path] = None,
        speedup: float = 1.0,
    ) -> None:
        npu = MODELS.get(soc or "", RK3568)
        self.set_inputs_ns = npu.copy_overhead_ns + int(work.input_bytes / npu.copy_bytes_per_s * 1e9)
        self.get_outputs_ns = npu.copy_overhead_ns + int(work.output_bytes / npu.copy_bytes_per_s * 1e9)
        moved_ns = work.memory_bytes / npu.bytes_per_s * 1e9
        self._run_ns = npu.overhead_ns + moved_ns + work.tasks * npu.task_ns
        if work.predicted_ns is not None:
            self._run_ns = work.predicted_ns / MEDIAN_JITTER
        self._behaviour = behaviour
        self._seed = seed
        self._random = random.Random(seed)
        self._staged = Staged(behaviour, seed)
        self._speedup = speedup
        self._time_ns = 0
        self.board = VirtualBoardModel(behaviour, root)
        self.host_ns = int(float(behaviour.get("host_ms") or 0.0) * 1e6)

    def begin_load(self, worked_ns: int) -> None:
        """Begin a load after so much work of the board in its plan."""
        self._time_ns = worked_ns
        self._random = random_of_load(self._seed, worked_ns)
        self._staged.begin_load(worked_ns)
        self.board.begin_block(worked_ns)

    def begin_block(self, worked_ns: int) -> None:
        """Begin a block after so much work of the board in its plan."""
        self._staged.begin_block(switched=worked_ns > self._time_ns)
        self._time_ns = worked_ns
        self.board.begin_block(worked_ns)

    def next_run_ns(self, iteration: int) -> int:
        """Return how long the NPU takes for the `iteration`-th inference since the load."""
        state = self.board.state(iteration, self._time_ns)
        self.board.files.show(state)
        value = self._true_ns() * self._staged.factor(iteration, self._time_ns) * state.slowness
        value += interference_ns(self._behaviour.get("periodic"), self._time_ns, value)
        run_ns = max(1, int(value))
        self._time_ns += self.set_inputs_ns + run_ns + self.get_outputs_ns + self.host_ns
        return run_ns

    def _true_ns(self) -> float:
        latency = self._behaviour.get("latency") or {}
        if "median_ms" in latency:
            value = self._drawn(latency)
        else:
            value = self._run_ns * (1.0 + JITTER_RATIO * abs(self._random.gauss(0.0, 1.0)))
        return value * float(latency.get("factor", 1.0)) / self._speedup

    def _drawn(self, latency: Dict[str, Any]) -> float:
        median_ns = float(latency["median_ms"]) * 1e6
        sigma = float(latency.get("sigma", 0.1))
        kind = latency.get("distribution", "lognormal")
        if kind == "lognormal":
            return median_ns * self._random.lognormvariate(0.0, sigma)
        if kind == "normal":
            return median_ns * (1.0 + sigma * self._random.gauss(0.0, 1.0))
        return median_ns


def work_of(spec: RunSpec, predicted_ns: Optional[float] = None) -> Work:
    """Return what an inference of a variant moves and runs."""
    moved = (_tensor_bytes(spec.inputs), _tensor_bytes(spec.outputs))
    return Work(memory_bytes_of(spec), spec.figures.npu_tasks or 0, *moved, predicted_ns)


def memory_bytes_of(spec: RunSpec) -> int:
    """Return the NPU memory of a variant: its file's size where its own figures are not known."""
    weight, internal = spec.figures.npu_weight_bytes, spec.figures.npu_internal_bytes
    return spec.size_bytes if weight is None or internal is None else weight + internal


def _tensor_bytes(tensors: Sequence[TensorSpec]) -> int:
    total = 0
    for tensor in tensors:
        total += int(np.prod(tensor.shape, dtype=np.int64)) * np.dtype(tensor.dtype).itemsize
    return total
