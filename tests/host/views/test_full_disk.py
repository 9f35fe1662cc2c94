"""A disk that is full for the JSON takes nothing else: the table is on the terminal."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from rkbench.bisect.asked import BisectOptions, BisectOutcome
from rkbench.catalogue.explain import explain
from rkbench.conversion.plan import AskedConversions, LeftOut
from rkbench.conversion.recipes import draft_of
from rkbench.conversion.typed import ConvertOutcome
from rkbench.errors import BenchError
from rkbench.inspection.against import AgainstOnnx
from rkbench.inspection.inspect_file import Request, inspect_file
from rkbench.inspection.latency import predict_models
from rkbench.npu import WhatIf
from rkbench.results.measures import QUANTITIES
from rkbench.stats.gates import parse_gate
from rkbench.sweep.asked import SweepOptions, SweepOutcome
from rkbench.sweep.plan import SweepPlan
from rkbench.views.bisect import show_bisect
from rkbench.views.convert import show_conversions
from rkbench.views.doctor import show_checks
from rkbench.views.explain import show_explanation
from rkbench.views.fix import show_fix
from rkbench.views.inspect.against import show_against
from rkbench.views.inspect.show import show_inspection
from rkbench.views.predict import show_predictions
from rkbench.views.sweep import show_sweep
from snapshot_others import CHECKS, DESK, FIXED

FULL = "/dev/full"
MODEL = Path(__file__).parents[2] / "data/models/mb_gap7_rk3588_i8.rknn"
pytestmark = pytest.mark.skipif(not Path(FULL).exists(), reason="no /dev/full here")
LEFT_OUT = (LeftOut(draft_of("int8", "rk3588", "2.5.0"), "no calibration"),)


def test_conversions_are_shown_all_the_same() -> None:
    outcome = ConvertOutcome(AskedConversions(Path("net.onnx"), "rk3588", ("int8",)), (), (), LEFT_OUT)
    out = StringIO()
    with pytest.raises(BenchError, match="No space left"):
        show_conversions(outcome, FULL, out)
    assert "left out: int8: no calibration" in out.getvalue()


def test_a_sweep_is_shown_all_the_same() -> None:
    outcome = SweepOutcome(SweepOptions(Path("net.onnx")), "rk3588", SweepPlan((), LEFT_OUT))
    out = StringIO()
    with pytest.raises(BenchError, match="No space left"):
        show_sweep(outcome, FULL, out)
    assert "no calibration" in out.getvalue()


def test_a_prediction_is_shown_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BenchError, match="No space left"):
        show_predictions(predict_models([MODEL], what_if=WhatIf()), layers="0", json_to=FULL)
    assert MODEL.name in capsys.readouterr().out


def test_a_bisection_is_shown_all_the_same() -> None:
    gate = parse_gate("cosine >= 0.99", QUANTITIES)
    outcome = BisectOutcome(BisectOptions(Path("net.onnx")), "virtual", "rk3588", "fp16", gate, 9)
    out = StringIO()
    with pytest.raises(BenchError, match="No space left"):
        show_bisect(outcome, FULL, out)
    assert "net.onnx: 9 layers" in out.getvalue()


def test_checks_of_a_board_are_shown_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BenchError, match="No space left"):
        show_checks(DESK, CHECKS["failed"], FULL)
    assert "install librknnrt.so" in capsys.readouterr().out


def test_an_explanation_is_shown_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BenchError, match="No space left"):
        show_explanation("a log", explain(["E RKNN: failed to submit!, op id: 0"]), FULL)
    assert "failed to submit!" in capsys.readouterr().out


def test_a_fix_is_shown_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BenchError, match="No space left"):
        show_fix(FIXED, FULL)
    assert "wrote fixed.onnx" in capsys.readouterr().out


def test_an_inspection_is_shown_and_its_page_written_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    with pytest.raises(BenchError, match="No space left"):
        show_inspection(
            inspect_file(Request(MODEL)), json_to=FULL, html_to=str(page), layers="0", myths=False
        )
    assert MODEL.name in capsys.readouterr().out
    assert MODEL.name in page.read_text()


def test_errors_of_layers_are_shown_all_the_same() -> None:
    out = StringIO()
    found = AgainstOnnx(Path("net.rknn"), Path("net.onnx"), (), ())
    with pytest.raises(BenchError, match="No space left"):
        show_against(found, FULL, out)
    assert "net.rknn: no layer is of the size" in out.getvalue()
