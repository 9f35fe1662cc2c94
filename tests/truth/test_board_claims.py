"""Caveats that look at the board name their truth, and nothing on a healthy one; `make truth` does many."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from board_claims import CODES, TRUTHS, BoardTruth, codes_of, example_board, pushed
from caveat_claims import SEEDS
from rkbench.results.model import VALID

RUNS = 2
HEALTHY_RUNS = 5


@pytest.fixture(scope="module")
def board() -> Iterator[Path]:
    with example_board() as root:
        yield root


@pytest.mark.parametrize("truth", TRUTHS, ids=lambda truth: truth.name)
def test_a_caveat_names_what_the_board_does(truth: BoardTruth, board: Path) -> None:
    found = [codes_of(pushed(truth, SEEDS + number, board)) for number in range(RUNS)]
    assert [truth.code in codes for codes in found] == [True] * RUNS


def test_a_healthy_board_that_holds_its_clocks_makes_runs_valid(board: Path) -> None:
    runs = [pushed(None, SEEDS + number, board) for number in range(HEALTHY_RUNS)]
    assert [run.verdict for run in runs] == [VALID] * HEALTHY_RUNS
    assert not set(CODES) & set().union(*map(codes_of, runs))
