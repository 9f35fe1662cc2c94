"""How long a block is, whose turn it is, and when runs alone and in turns are over."""

from __future__ import annotations

from typing import Any

import pytest
from rkbench_agent.run.schedule import (
    BlockSize,
    Standing,
    block_size,
    is_load_over,
    is_over_alone,
    is_plan_over,
    is_time_up,
    mean_call_ns,
    round_of,
)
from rkbench_agent.wire.plan import RunSettings

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("call_ms", "iterations"),
    [
        (0, 20),  # nobody knows yet
        (0.5, 200),  # 0.1 s
        (4, 25),
        (10, 20),
        (100, 20),
        (101, 20),
        (200, 10),  # as long as 20 calls of 0.1 s
        (400, 5),
        (5000, 5),
    ],
)
def test_a_block_is_twenty_calls_or_a_tenth_of_a_second_and_of_slow_calls_less(
    call_ms: float, iterations: int
) -> None:
    assert block_size(RunSettings(), call_ms * 1e6, in_turns=False) == BlockSize(iterations)


def test_the_first_three_calls_after_a_switch_come_on_top_and_are_not_read() -> None:
    assert block_size(RunSettings(), 10e6, in_turns=True) == BlockSize(23, unread=3)


def test_a_block_is_not_longer_than_what_the_plan_may_take() -> None:
    settings = RunSettings(max_duration_s=2.0)
    assert block_size(settings, 10e6, SECOND // 2, in_turns=False).limit_ns == 1_500_000_000


def test_a_call_takes_what_was_timed_else_what_the_warm_up_took() -> None:
    assert mean_call_ns(Standing(4, 80, 1), 5.0) == 20.0
    assert (mean_call_ns(Standing(), 5.0), mean_call_ns(Standing())) == (5.0, 0.0)


@pytest.mark.parametrize(
    ("plan", "standing", "is_over"),
    [
        ({}, Standing(240, 3 * SECOND, 12), True),
        ({}, Standing(240, 3 * SECOND, 11), False),
        ({}, Standing(99, 3 * SECOND, 12), False),
        ({}, Standing(240, SECOND, 12), False),
        ({"max_duration_s": 1.0}, Standing(20, SECOND, 1), True),
        ({"min_iterations": 0, "min_duration_s": 0, "min_blocks": 0}, Standing(), True),
    ],
)
def test_a_run_alone_is_over_with_its_blocks_iterations_and_seconds(
    plan: Any, standing: Standing, is_over: bool
) -> None:
    assert is_over_alone(RunSettings(**plan), standing) is is_over


def test_a_round_goes_forward_and_backward_so_that_a_drift_hits_all_alike() -> None:
    assert "".join(round_of(["A", "B", "C"])) == "ABCCBA"


def test_a_load_is_over_with_its_quads_and_the_share_of_every_run() -> None:
    settings = RunSettings(loads=4, quads=2, min_iterations=400, min_duration_s=0.0, min_blocks=1)
    enough, short = Standing(100, SECOND, 4), Standing(99, SECOND, 4)
    assert is_load_over(settings, 0, 2, [enough, enough])
    assert not is_load_over(settings, 0, 1, [enough, enough])  # a quad is missing
    assert not is_load_over(settings, 0, 2, [enough, short])  # both go on until both are done
    assert not is_load_over(settings, 1, 2, [enough, enough])  # the second load brings as much again


def test_a_plan_is_over_with_its_loads_and_where_blocks_load_anew_with_as_many_rounds() -> None:
    settings = RunSettings(loads=1, quads=12, min_iterations=10, min_duration_s=0.0, min_blocks=1)
    done = [Standing(100, SECOND, 24)]
    assert is_plan_over(settings, 1, done, resident=True)
    assert not is_plan_over(settings, 11, done, resident=False)
    assert is_plan_over(settings, 12, done, resident=False)
    assert not is_plan_over(settings, 1, [Standing(9, SECOND, 24)], resident=True)


def test_time_is_up_only_where_the_plan_has_a_limit() -> None:
    assert is_time_up(RunSettings(max_duration_s=1.0), Standing(1, SECOND, 1))
    assert not is_time_up(RunSettings(max_duration_s=0.0), Standing(1, 99 * SECOND, 1))
