"""Caveats name their truth, and nothing in healthy runs: few runs, fixed seeds; `make truth` does many."""

from __future__ import annotations

import pytest
from caveat_claims import HEALTHY, HEALTHY_LOADS, SEEDS, TRUTHS, CaveatTruth, raised, said_of, through_loads

RUNS = 3
HEALTHY_RUNS = 20


@pytest.mark.parametrize("truth", TRUTHS, ids=lambda truth: truth.name)
def test_a_caveat_names_the_truth_of_a_run(truth: CaveatTruth) -> None:
    found = [raised(truth.behaviour, SEEDS + number) for number in range(RUNS)]
    assert [truth.code in codes for codes in found] == [True] * RUNS


def test_levels_of_loads_are_no_doubt_about_a_variant_among_several() -> None:
    found = [said_of(through_loads(HEALTHY_LOADS, SEEDS + number)) for number in range(HEALTHY_RUNS)]
    assert sum(bool(codes) for codes in found) <= 2


def test_healthy_runs_are_not_doubted() -> None:
    found = [raised(HEALTHY, SEEDS + number) for number in range(HEALTHY_RUNS)]
    assert sum(bool(codes) for codes in found) <= 2
