"""Models that normalise their input themselves: computed outputs against the vendor's simulator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rkbench.rknn import open_model
from rkbench.variants.computation import compute
from toolkit_jobs import Convert

DENSE = Path(__file__).parents[1] / "data/npu/dense.onnx"


@pytest.mark.parametrize("target", ["rk3588", "rk3568"])
@pytest.mark.parametrize(("dtype", "most"), [("fp16", 0.01), ("int8", 0.06)])
def test_mean_and_deviation_of_the_file_are_applied(
    tmp_path: Path, convert: Convert, target: str, dtype: str, most: float
) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (1, 1, 20, 20, 3)).astype("float32")
    np.savez(tmp_path / "in.npz", **{"inputs/x": picture})
    np.save(tmp_path / "case.npy", picture[0].transpose(0, 3, 1, 2))
    answer = convert(
        DENSE,
        target,
        dtype,
        config={"mean_values": [[120.0, 110.0, 100.0]], "std_values": [[60.0, 50.0, 40.0]]},
        inputs=str(tmp_path / "in.npz"),
        outputs=str(tmp_path / "simulated.npz"),
        **({"dataset": [str(tmp_path / "case.npy")]} if dtype == "int8" else {}),
    )
    with open_model(answer["output"]) as model:
        compute(model, tmp_path / "in.npz", tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as ours, np.load(tmp_path / "simulated.npz") as theirs:
        computed, simulated = ours["outputs/Conv_4"], theirs["outputs/Conv_4"]
    assert np.abs(computed.reshape(simulated.shape) - simulated).max() < most
