"""How an interval of a latency test is written."""

from __future__ import annotations

import pytest
from made_runs import collected, make_run
from rkbench.campaign import compare_collected
from rkbench.results.latency_tests import LatencyTest
from rkbench.results.latency_words import interval_text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (-6.93, -6.31, "-6.9 to -6.3"),
        (-53.412, -53.378, "-53.41 to -53.38"),
        (-47.6012, -47.6008, "-47.6 to -47.6"),
        (0.03, 5.0, "+0.03 to +5.00"),
        (-5.0, -0.00004, "-5.00000 to -0.00004"),
        (-0.03, 5.0, "+0.0 to +5.0"),
        (None, None, ""),
    ],
)
def test_an_interval_has_the_digits_that_tell_its_ends_apart(
    low: float | None, high: float | None, text: str
) -> None:
    assert interval_text(LatencyTest("r", "faster", -6.6, low, high)) == text


def test_what_holds_for_one_load_alone_is_said_once() -> None:
    runs = [(make_run(number, name), ns) for number, name, ns in ((1, "a", 3), (2, "b", 2), (3, "c", 4))]
    items = [collected(run, ns * 1_000_000, loads=1, quads=12) for run, ns in runs]
    verdict = compare_collected(items).verdict
    assert verdict.count("this load only") == 1
    assert verdict.endswith("another may lie a percent off: --loads tells through several.")
    several = compare_collected([collected(run, ns * 1_000_000) for run, ns in runs])
    assert "load only" not in several.verdict
