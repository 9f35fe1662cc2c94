"""The search: O(log n) questions, and a layer whose inputs are right and whose output is wrong."""

from __future__ import annotations

import math

import pytest
from rkbench.bisect.search import MOST_UNKNOWN, find_first_bad


@pytest.mark.parametrize("count", [1, 2, 3, 40, 257])
def test_the_first_wrong_layer_is_found_in_logarithmic_time(count: int) -> None:
    for wrong in range(1, count + 1):
        asked: list[int] = []

        def is_bad(place: int, wrong: int = wrong, asked: list[int] = asked) -> bool:
            asked.append(place)
            return place >= wrong

        found = find_first_bad(count, is_bad)
        assert (found.good, found.bad) == (wrong - 1, wrong)
        assert len(asked) <= math.ceil(math.log2(count)) if count > 1 else not asked


def test_an_error_that_is_hidden_again_still_ends_at_a_wrong_layer() -> None:
    wrong = {*range(5, 9), *range(30, 41)}
    found = find_first_bad(40, lambda place: place in wrong)
    assert found.bad in wrong
    assert found.good not in wrong
    assert found.is_exact


def test_what_cannot_be_told_is_stepped_over() -> None:
    found = find_first_bad(40, lambda place: None if place in (20, 21) else place >= 12)
    assert (found.good, found.bad) == (11, 12)


def test_layers_that_cannot_be_told_apart_are_all_named() -> None:
    found = find_first_bad(40, lambda place: None if place in (12, 13) else place >= 12)
    assert (found.good, found.bad, found.unknown, found.is_exact) == (11, 14, (12, 13), False)


def test_it_gives_up_where_nothing_can_be_told() -> None:
    asked: list[int] = []
    found = find_first_bad(1000, asked.append)
    assert (found.good, found.bad, len(asked)) == (0, 1000, MOST_UNKNOWN)
