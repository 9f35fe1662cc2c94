"""Core masks, profiles and load cycles with the real RKNNLite and the vendor's librknnrt."""

from __future__ import annotations

from pathlib import Path

import pytest
from emulated_board import BoardFactory, EmulatedBoard
from test_push_emulated import INT8, TENSORS, Desk, told

pytestmark = [pytest.mark.emulated, pytest.mark.timeout(240)]
T1 = pytest.mark.xdist_group("T1")
T2 = pytest.mark.xdist_group("T2")


@pytest.fixture(scope="session")
def double_board(emulated_board: BoardFactory) -> EmulatedBoard:
    """T1 with the tensors of INT8."""
    return emulated_board("rk3588", tier="T1", env=TENSORS)


@pytest.fixture(scope="session")
def vendor_board(emulated_board: BoardFactory) -> EmulatedBoard:
    """T2: the vendor's librknnrt."""
    return emulated_board("rk3588", tier="T2", env={"RKBENCH_TEST": "push"})


@T2
@pytest.mark.parametrize("runtime", ["lite", "capi"])
def test_the_vendors_table_of_layers_is_read_and_mapped(
    runtime: str, vendor_board: EmulatedBoard, models: Path, tmp_path: Path
) -> None:
    desk = Desk(tmp_path, vendor_board, models)
    code, document = desk.push(INT8, runtime=runtime, options=("--profile", "--load-cycles", 3))
    assert code == 0
    (run,) = document["runs"]
    profile = run["profile"]
    assert profile["runtime"] == "capi"
    assert [layer["node"] for layer in profile["layers"]] == list(range(24))
    assert {layer["unit"] for layer in profile["layers"]} == {"NPU", "CPU"}
    cycles = run["load"]["cycles"]
    assert cycles["count"] == 3
    assert run["latency"]["count"] >= 10


@T1
def test_a_sweep_asks_for_every_mask_and_tells_the_fallback(
    double_board: EmulatedBoard, models: Path, tmp_path: Path
) -> None:
    desk = Desk(tmp_path, double_board, models)
    with told(double_board, CORE_LOG="W This model has not multicore config, fallback single core"):
        code, document = desk.push(INT8, runtime="lite", options=("--cores", "sweep", "--no-interleave"))
    assert code == 0
    fallen = {
        run["plan"]["core_mask"]: "single_core_fallback" in [caveat["code"] for caveat in run["caveats"]]
        for run in document["runs"]
    }
    assert fallen == {"auto": False, "0": True, "1": True, "2": True, "0-1": True, "all": True}
