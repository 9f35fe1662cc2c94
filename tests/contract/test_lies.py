"""Boards that lie, in every kind: what is senseless ends its run, what came before it is kept.

`make lies` tries every value in every field, and all floods.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from lies import (
    BOARD,
    HELD,
    SETTINGS,
    block_lies,
    connect_to,
    every_call,
    field_lies,
    flood_lies,
    instead,
    try_lie,
)
from recorded import MODELS
from rkbench.campaign import PushOptions, run_campaign
from rkbench.store import open_store

FIELDS = field_lies()
FLOODS = flood_lies()
QUICK_FLOODS = (
    "beats slowly",
    "readings",
    "caveats",
    "logs",
    "outputs that nobody asked for",
    "output parts",
    "output suspects",
    "a line without end",
    "100,000 brackets",
    "a type that is a list",
    "noise before Hello",
)
#: One of each kind of message, another wrong value each time.
SOME = [name for number, name in enumerate(FIELDS) if number % 89 == 0]


@pytest.mark.parametrize("name", SOME)
def test_a_lie_in_a_field_is_no_traceback_and_hangs_nobody(tmp_path: Path, name: str) -> None:
    tried = try_lie(name, FIELDS[name], tmp_path)
    assert tried.outcome == HELD, tried


@pytest.mark.parametrize("name", block_lies())
def test_blocks_of_impossible_calls_are_no_traceback(tmp_path: Path, name: str) -> None:
    tried = try_lie(name, block_lies()[name], tmp_path)
    assert tried.outcome == HELD, tried


def test_runs_of_calls_that_took_nothing_are_suspect_and_differ_by_nothing(tmp_path: Path) -> None:
    settings = replace(SETTINGS, precision_percent=1.0)  # whose rule looks at every block
    with open_store(tmp_path / "results.sqlite") as store:
        options = PushOptions(MODELS, settings)
        outcome = run_campaign(options, BOARD, partial(connect_to, every_call(0)), store)
    for run in outcome.runs:
        assert (run.verdict, "impossible_number" in {item.code for item in run.caveats}) == ("SUSPECT", True)
    assert [test.difference_percent for test in outcome.comparison.latency_tests] == [None]


@pytest.mark.parametrize("name", QUICK_FLOODS)
def test_words_without_end_are_no_traceback_and_hang_nobody(tmp_path: Path, name: str) -> None:
    tried = try_lie(name, FLOODS[f"flood: {name}"], tmp_path)
    assert tried.outcome == HELD, tried


def test_what_is_senseless_of_one_run_fails_it_and_keeps_what_came_before_and_the_other_run(
    tmp_path: Path,
) -> None:
    lie = instead("Latencies", "start_ns", None, index=8)
    with open_store(tmp_path / "results.sqlite") as store:
        outcome = run_campaign(PushOptions(MODELS, SETTINGS), BOARD, partial(connect_to, lie), store)
    (bad,) = [run for run in outcome.runs if run.failure is not None]
    (good,) = [run for run in outcome.runs if run.failure is None]
    assert bad.failure is not None
    assert bad.failure.stage == "connection"
    assert "no message: Expected `array`, got `null` - at `$.start_ns`" in bad.failure.message
    assert good.latency is not None
    assert bad.latency is not None
    assert 0 < bad.latency.count < good.latency.count
