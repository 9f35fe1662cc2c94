"""How an interval of a latency test is written."""

from __future__ import annotations

import pytest
from rkbench.runs.latency_tests import LatencyTest
from rkbench.runs.latency_words import interval_text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (-6.93, -6.31, "-6.9 to -6.3"),
        (-53.412, -53.378, "-53.41 to -53.38"),
        (-47.6012, -47.6008, "-47.6 to -47.6"),
        (None, None, ""),
    ],
)
def test_an_interval_has_the_digits_that_tell_its_ends_apart(
    low: float | None, high: float | None, text: str
) -> None:
    assert interval_text(LatencyTest("r", "faster", -6.6, low, high)) == text
