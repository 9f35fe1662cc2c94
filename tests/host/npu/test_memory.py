"""What computing a model takes, beside what the model takes on a board."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from rkbench.npu.execute.executor import Executor
from rkbench.npu.execute.weights import DenseWeights
from rkbench.npu.layout import lay_out
from rkbench.rknn import open_model

HOST = Path(__file__).parents[3] / "host/rkbench"
CALIBRATION = HOST / "npu/reference/calibration"


@pytest.mark.parametrize(
    "path",
    [
        CALIBRATION / "depthwise_rk3568.rknn",
        CALIBRATION / "tables_large_rk3588.rknn",
        HOST / "demo/data/digits.fp16.rknn",
    ],
    ids=lambda path: path.stem,
)
def test_computing_takes_at_most_twice_the_npus_memory_and_the_values_fed_and_returned(path: Path) -> None:
    with open_model(path) as model:
        needed = lay_out(model).size_bytes
        tracemalloc.start()
        try:
            executor = Executor(model)
            case = {each.name: np.ones(each.shape, "float32") for each in executor.inputs}
            outputs = executor.run(case)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    needed += sum(values.nbytes for values in (*case.values(), *outputs.values()))
    assert peak < 2 * needed


def test_kernels_of_many_bytes_are_made_floats_in_parts() -> None:
    random = np.random.default_rng(3)
    packed = random.integers(-128, 128, 9 * 512 * 500).astype(np.int8)
    weights = DenseWeights(packed, 3, 3, kernels=500, stored=512, channels=512, rows=32, block=32)
    seen = random.integers(-128, 128, (3, weights.seen)).astype(np.float32)
    whole = seen @ weights.floats(0, 500)
    tracemalloc.start()
    try:
        found = weights.times(seen)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert np.array_equal(found, whole)
    assert peak < 2.5 * packed.nbytes
