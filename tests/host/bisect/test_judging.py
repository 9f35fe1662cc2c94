"""What counts as wrong, and whose fault it is."""

from __future__ import annotations

import math

import pytest
from rkbench.bisect.asked import BOARD, CONVERSION, QUANTIZATION, UNKNOWN_KIND, Figures, Probe, TensorError
from rkbench.bisect.cuts import Part
from rkbench.bisect.judging import check_failure, error_of, errors_of, kind_of, limit_of
from rkbench.bisect.words import part_text
from rkbench.errors import BoardError
from rkbench.results.model import Failure
from rkbench.results.output import Output, PartFigures
from rkbench.results.records import SimulatorError, WorstPart

GATE = limit_of((), is_quantized=False)
RIGHT, WRONG = Figures(1.0, 60.0, 0.001), Figures(0.2, -3.0, 9.0)


def probe(*errors: TensorError, failure: str = "") -> Probe:
    return Probe(Part(("x",), ("y",)), 3, errors, failure)


@pytest.mark.parametrize(
    ("board", "simulator", "is_quantized", "kind"),
    [
        (WRONG, RIGHT, False, BOARD),
        (WRONG, WRONG, False, CONVERSION),
        (WRONG, WRONG, True, QUANTIZATION),
        (WRONG, None, True, UNKNOWN_KIND),
    ],
)
def test_the_simulator_tells_whose_fault_it_is(
    board: Figures, simulator: Figures | None, is_quantized: bool, kind: str
) -> None:
    assert kind_of(probe(error_of(GATE, "y", board, simulator)), is_quantized=is_quantized) == kind


def test_a_run_that_crashed_is_the_boards_where_the_simulator_is_right() -> None:
    simulator = (SimulatorError("y", 1, 1.0, 0.001, 0.001, None, 60.0),)
    errors = errors_of(GATE, (), simulator)
    crashed = probe(*errors, failure="killed by SIGSEGV")
    assert crashed.is_bad
    assert kind_of(crashed, is_quantized=False) == BOARD


def test_values_that_are_not_finite_are_wrong() -> None:
    (error,) = errors_of(GATE, (Output(0, "y", case_count=1, nan_count=3),), ())
    assert error.is_wrong


def test_an_output_without_any_error_is_right_and_one_where_nothing_belongs_is_wrong() -> None:
    exact = Output(0, "y", case_count=1, cosine=1.0, max_abs_error=0.0, snr_infinite=1)
    noise = Output(0, "y", case_count=1, cosine=0.0, max_abs_error=1.0, snr_infinite=-1)
    (first,), (second,) = errors_of(GATE, (exact,), ()), errors_of(GATE, (noise,), ())
    assert (first.is_wrong, second.is_wrong) == (False, True)
    assert first.board is not None
    assert second.board is not None
    assert first.board.snr_db is None
    assert math.isfinite(second.board.snr_db or math.nan)


def test_a_lost_channel_is_told_on_both_sides_and_not_judged() -> None:
    parts = PartFigures(1, snr_db=(60.0, None, 3.0))
    output = Output(0, "y", case_count=1, cosine=1.0, max_abs_error=0.1, snr_db=50.0, parts=parts)
    simulator = SimulatorError("y", 1, 1.0, 0.1, 0.1, None, 50.0, worst_part=WorstPart(1, 2, 3.1))
    (error,) = errors_of(GATE, (output,), (simulator,))
    assert error.is_wrong is False
    assert part_text(error, "≈") == (
        "its worst part: board ≈3.0 dB (2 of axis 1), simulator 3.1 dB (2 of axis 1)"
    )


def test_records_that_know_no_snr_say_nothing() -> None:
    (error,) = errors_of(
        GATE,
        (Output(0, "y", case_count=1, snr_db=3.0, max_abs_error=1.0),),
        (SimulatorError("y", 1, 1.0, 0.001, 0.001),),
    )
    assert (error.is_wrong, error.is_wrong_in_simulator) == (True, None)


@pytest.mark.parametrize("reason", ["crash", "hang", "runtime_error", "out_of_memory"])
def test_what_a_model_does_to_a_board_is_wrong(reason: str) -> None:
    assert check_failure(Failure("inference", reason, "it ended")) == "it ended"
    assert check_failure(None) == ""


@pytest.mark.parametrize("reason", ["cancelled", "missing", "bad_input"])
def test_a_line_that_was_cut_says_nothing_of_a_model(reason: str) -> None:
    with pytest.raises(BoardError, match="no answer of a part: silence"):
        check_failure(Failure("connection", reason, "silence"))
