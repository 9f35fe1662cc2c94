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
def test_the_vendors_table_of_layers_is_read_and_mapped(
    vendor_board: EmulatedBoard, models: Path, tmp_path: Path
) -> None:
    """The table is always read over `capi`, whatever runtime the run has."""
    desk = Desk(tmp_path, vendor_board, models)
    options = ("--profile", "--load-cycles", 3)
    code, document = desk.push(INT8, runtime="lite", options=options, limit_s=0)
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
@pytest.mark.parametrize(("cores", "is_told"), [("auto", False), ("all", True)])
def test_the_runtimes_fallback_to_one_core_is_told(
    cores: str, is_told: bool, double_board: EmulatedBoard, models: Path, tmp_path: Path
) -> None:
    desk = Desk(tmp_path, double_board, models)
    with told(double_board, CORE_LOG="W This model has not multicore config, fallback single core"):
        code, document = desk.push(INT8, runtime="lite", options=("--cores", cores))
    (run,) = document["runs"]
    assert (code, run["plan"]["core_mask"]) == (0, cores)
    assert ("single_core_fallback" in [caveat["code"] for caveat in run["caveats"]]) is is_told
