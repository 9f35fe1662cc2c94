"""Two models beside each other on a terminal, from runs made by hand."""

from __future__ import annotations

import pytest
from made_runs import make_run
from rkbench.results.caveats import caveats_of
from rkbench.results.interference import (
    ChangedOutput,
    Interference,
    InterferencePlacement,
    OutputsBeside,
    Shared,
)
from rkbench.results.latencies import RawLatencies
from rkbench.results.model import RunResult
from rkbench.views.push.interference import interference_lines, interference_text

SAME, WRONG = OutputsBeside(100, True), OutputsBeside(100, True, (ChangedOutput("scores", 3),))


def shared(
    alone: float, beside: float, bounds: tuple[float, float] | None, outputs: OutputsBeside | None = SAME
) -> Shared:
    low, high = bounds or (None, None)
    ratio = 1 - beside / alone
    times = (0.01, 0.02, 0.011, 0.021)
    return Shared("0", 120, alone, beside, ratio, low, high, *times, outputs=outputs)


def run_of(*placements: InterferencePlacement) -> RunResult:
    return make_run(interference=Interference("other", placements, placements[0].placement))


def beside(own: Shared, other: Shared) -> InterferencePlacement:
    return InterferencePlacement("spread", 12, own, other, 1.8)


def test_each_model_has_a_line_in_each_placement_and_the_best_is_marked() -> None:
    own, other = shared(100, 80, (0.19, 0.21)), shared(50, 50, (-0.004, 0.004))
    run = run_of(beside(own, other), InterferencePlacement("0", 12, own, other, 0.9))
    head, first, second, third, _ = interference_lines(run, 170)
    assert head.text.split()[:4] == ["cores", "model", "alone", "beside"]
    assert first.text.split() == [
        *("▸", "spread", "fp16", "100", "/s", "80.0", "/s", "20.0", "%", "(19.0", "to", "21.0)"),
        *("10.0", "ms", "20.0", "ms", "11.0", "ms", "21.0", "ms", "1.80", "100", "the", "same"),
    ]
    assert second.text.split()[:6] == ["other", "50.0", "/s", "50.0", "/s", "0.0"]
    assert [first.is_chosen, second.is_chosen, third.is_chosen] == [True, True, False]
    assert all(len(line.text) <= 70 for line in interference_lines(run, 70))


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (shared(100, 80, (0.19, 0.21)), "fp16 loses 20.0 % (19.0 to 21.0), 100 /s alone, 80.0 /s beside"),
        (shared(100, 99, (0.005, 0.015)), "fp16 keeps its rate (100 /s alone, 99.0 /s beside)"),
        (shared(100, 97, (-0.01, 0.06)), "fp16 may lose 3.0 % (-1.0 to 6.0), 100 /s alone"),
        (shared(100, 103, (-0.08, 0.02)), "fp16 may lose or gain: a loss of -3.0 % (-8.0 to 2.0), 100 /s"),
        (shared(100, 70.98, (0.29016, 0.29024)), "fp16 loses 29.020 % (29.016 to 29.024), 100 /s"),
        (shared(100, 110, (-0.12, -0.08)), "fp16 is 10.0 % faster (100 /s alone"),
        (shared(100, 80, None), "fp16 makes 100 /s alone, 80.0 /s beside (too few rounds for an interval)"),
    ],
)
def test_what_a_model_loses_is_said_as_far_as_its_interval_goes(model: Shared, words: str) -> None:
    assert words in interference_text(run_of(beside(model, shared(50, 50, (0, 0)))))


@pytest.mark.parametrize(
    ("outputs", "words", "cell"),
    [
        (SAME, "fp16 the same in all of 100 calls", "100 the same"),
        (WRONG, "fp16 differs from calls alone in scores", "scores: 3 differ"),
        (OutputsBeside(0, False), "fp16 does not repeat even alone, so nothing follows", "do not repeat"),
        (None, "fp16 unknown", "–"),
    ],
)
def test_outputs_under_load_are_told(outputs: OutputsBeside | None, words: str, cell: str) -> None:
    run = run_of(beside(shared(100, 80, (0.19, 0.21), outputs), shared(50, 50, (0, 0))))
    assert words in interference_text(run)
    assert interference_lines(run, 170)[1].text.endswith(cell)


def test_outputs_that_change_are_a_doubt_and_equal_ones_are_none() -> None:
    own, other = shared(100, 80, (0.19, 0.21)), shared(50, 50, (0, 0), WRONG)
    codes = {item.code: item for item in caveats_of(run_of(beside(own, other)), RawLatencies())}
    told = "outputs differ from those of a call alone: other (spread): scores in 3 of 100 calls"
    assert (codes["outputs_beside"].message, codes["outputs_beside"].weight) == (told, "doubt")
    assert "outputs_beside" not in {
        item.code for item in caveats_of(run_of(beside(own, own)), RawLatencies())
    }


def test_other_runs_have_no_such_table() -> None:
    assert (interference_lines(make_run(), 80), interference_text(make_run())) == ([], "")
