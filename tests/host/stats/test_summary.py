"""Summaries against values worked out by hand (and by numpy, as literals)."""

from __future__ import annotations

import pytest
from rkbench.stats.summary import difference_percent, median, percentile, summarize


def test_a_summary_has_the_values_of_the_textbook() -> None:
    summary = summarize([4, 1, 3, 2])
    assert summary is not None
    assert (summary.count, summary.min, summary.max, summary.mean) == (4, 1, 4, 2.5)
    assert summary.stddev == pytest.approx(1.2909944487358056)


def test_nothing_has_no_summary() -> None:
    assert summarize([]) is None


def test_one_value_has_no_deviation() -> None:
    summary = summarize([7])
    assert summary is not None
    assert (summary.min, summary.max, summary.stddev) == (7, 7, None)


@pytest.mark.parametrize(("percent", "value"), [(0, 10), (25, 17.5), (50, 25), (90, 37), (100, 40)])
def test_percentiles_interpolate_linearly(percent: float, value: float) -> None:
    assert percentile([10, 20, 30, 40], percent) == pytest.approx(value)


def test_the_median_sorts() -> None:
    assert median([9, 1, 5]) == 5


@pytest.mark.parametrize(
    ("baseline", "candidate", "percent"),
    [(200, 150, -25.0), (0.5, 0.75, 50.0), (None, 1, None), (1, None, None), (0, 1, None), (0, 0, 0.0)],
)
def test_differences_are_percent_of_the_baseline(
    baseline: float | None, candidate: float | None, percent: float | None
) -> None:
    assert difference_percent(baseline, candidate) == percent
