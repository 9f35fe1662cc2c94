"""What a file foretells stands in the record of a run on a real board, and only there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from rkbench.boards.model import Board
from rkbench.campaign.board_fit import with_fit
from rkbench.campaign.kept_calibrations import save_calibration
from rkbench.campaign.plan import Place, make_headers
from rkbench.npu import WhatIf, predict_latency
from rkbench.npu.latency_model import latency_models
from rkbench.npu.reference_costs import TABLE
from rkbench.results.records import PredictedLatency, TransferRecord
from rkbench.variants.foretold import foretold_latency
from rkbench.variants.variant import prepare_variants
from rkbench_agent.wire.board import Environment
from rkbench_agent.wire.messages import Hello
from rkbench_agent.wire.plan import RunSettings

MODELS = Path(__file__).parents[2] / "data/models"
SAMPLE = MODELS / "mb_gap7_rk3588_i8.rknn"
LARGER = TABLE.parent / "calibration/dense_large_rk3588.rknn"
"""For one core, and within the latencies of the fit."""


TOLD: list[str] = []
HELLO = Hello("rkbench", 1, "0" * 64, "0.1.0", "3.11.2", 7, 0)


def predicted(
    *, simulated: bool, mask: str = "auto", soc: str = "rk3588", model: Path = SAMPLE
) -> PredictedLatency | None:
    board = Board("desk", "10.0.0.7", simulated=simulated)
    place = Place(board, HELLO, Environment(soc=soc), "push", 0.0)
    place = with_fit(place, RunSettings(), lambda event: TOLD.append(str(event)))
    variants = prepare_variants([model])
    (header,) = make_headers(
        RunSettings(core_mask=mask), place, variants, [TransferRecord(1, 1, False)], [()]
    )
    return header.variant.predicted


def test_a_run_on_a_real_board_records_what_its_file_foretells() -> None:
    told = predicted(simulated=False, model=LARGER)
    assert told is not None
    assert told.latency_s == pytest.approx(0.003363, abs=1e-6)
    assert told.low_s == pytest.approx(0.85 * told.latency_s)


def test_a_simulated_run_records_none() -> None:
    assert predicted(simulated=True) is None


@pytest.mark.parametrize(("mask", "cores"), [("1", 1), ("0-1", 2), ("all", 3)])
def test_what_is_foretold_is_of_the_cores_that_are_asked_for(mask: str, cores: int) -> None:
    told = predicted(simulated=False, mask=mask)
    assert told is not None
    assert told.latency_s == predict_latency(SAMPLE, what_if=WhatIf(cores=cores)).latency_s
    assert (told.low_s is None) == (cores > 1)


def test_two_cores_of_a_chip_with_one_switched_off_are_all() -> None:
    told = predicted(simulated=False, mask="all", soc="rk3582")
    assert told is not None
    assert told.latency_s == predict_latency(SAMPLE, what_if=WhatIf(cores=2)).latency_s


def test_a_file_whose_tasks_cannot_be_decoded_foretells_nothing() -> None:
    assert foretold_latency(MODELS / "opt_mini_rknn_True_rk3588_fp.rknn") is None


def test_what_is_foretold_is_of_the_boards_own_calibration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = predicted(simulated=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    base = latency_models()["rk3588"]
    a, b, c, d = base.coefficients
    save_calibration("desk", replace(base, coefficients=(2 * a, 2 * b, 2 * c, 2 * d)))
    told = predicted(simulated=False)
    assert told is not None
    assert bare is not None
    assert told.latency_s == pytest.approx(2 * bare.latency_s)


@pytest.mark.parametrize("text", ["{", ""])
def test_a_damaged_calibration_does_not_stop_a_push(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    bare = predicted(simulated=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    path = save_calibration("desk", latency_models()["rk3588"])
    path.write_text(text, encoding="utf-8")
    TOLD.clear()
    assert predicted(simulated=False) == bare
    (told,) = TOLD
    assert "foretold without the board's calibration" in told
    assert str(path) in told
    assert "bench boards calibrate desk" in told


def test_a_calibration_of_another_npu_does_not_stop_a_push(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = predicted(simulated=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    save_calibration("desk", latency_models()["rk3568"])
    TOLD.clear()
    assert predicted(simulated=False) == bare
    (told,) = TOLD
    assert "it is of an rk3568, and the board is an rk3588" in told
