"""Two variants' offline rates in words, only where their intervals tell."""

from __future__ import annotations

import pytest
from made_runs import make_run
from rkbench.results.model import RunResult
from rkbench.results.offline import Offline, OfflineRate, Saturation
from rkbench.results.offline_words import offline_sentences


def run_of(name: str, per_s: float, half: float | None) -> RunResult:
    bounds = (None, None) if half is None else (per_s - half, per_s + half)
    steps = (OfflineRate("auto", 1, 100, 50.0, 49.0, 51.0, 0.02, None),)
    steps += (OfflineRate("auto", 3, 300, per_s, *bounds, 0.03, None),)
    return make_run(name=name, offline=Offline(steps, Saturation("auto", 3, per_s, True), True))


@pytest.mark.parametrize(
    ("rate", "half", "told"),
    [
        (120.0, 1.0, " Offline b does 20.0 % more than a (18.2 to 21.9) in these loads."),
        (80.0, 1.0, " Offline b does 20.0 % less than a (18.5 to 21.4) in these loads."),
        (100.2, 0.2, " Offline b and a do as much, within 2 %, in these loads."),
        (101.0, 3.0, ""),
        (120.0, None, ""),
    ],
)
def test_only_what_the_intervals_tell_is_said(rate: float, half: float | None, told: str) -> None:
    base_half = 0.2 if rate == 100.2 else 1.3
    assert offline_sentences(run_of("a", 100.0, base_half), [run_of("b", rate, half)]) == told


def test_all_candidates_together_are_told_with_95_percent() -> None:
    base, near = run_of("a", 100.0, 1.3), run_of("b", 101.9, 1.3)
    assert " more than a " in offline_sentences(base, [near])
    others = [run_of(name, 101.0, 3.0) for name in "cdef"]
    assert offline_sentences(base, [near, *others]) == ""


def test_other_scenarios_have_no_such_sentence() -> None:
    assert offline_sentences(make_run(), [make_run()]) == ""
