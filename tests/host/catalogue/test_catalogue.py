"""The failure catalogue: every row finds its own text, and healthy logs find nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from made_runs import make_run
from rkbench.catalogue import SCOPES, Row, is_harmless, match, rows
from rkbench.results.collect import Collector
from rkbench_agent.wire.messages import Failed, Log

LOGS = Path(__file__).parents[2] / "data/logs"
MATCHABLE = [row for row in rows() if row.pattern and row.severity != "harmless"]
HARMLESS = [row for row in rows() if row.severity == "harmless"]


def name(row: Row) -> str:
    return f"row {row.number}"


@pytest.mark.parametrize("row", MATCHABLE, ids=name)
def test_a_row_is_the_first_diagnosis_of_its_own_text(row: Row) -> None:
    first = match(row.example)[0]
    assert (first.number, first.advice, first.severity) == (row.number, row.advice, row.severity)


@pytest.mark.parametrize("row", HARMLESS, ids=name)
def test_a_harmless_row_is_no_diagnosis(row: Row) -> None:
    assert all(is_harmless(line) for line in row.example)
    assert match(row.example) == []


def test_the_rows_are_numbered_without_a_gap() -> None:
    assert [row.number for row in rows()] == list(range(1, len(rows()) + 1))
    assert [row.number for row in rows() if row.pattern is None] == [35, 37]
    assert [row.number for row in HARMLESS] == [46, 47, 145, 146, 147, 148, 149, 165]


@pytest.mark.parametrize("row", MATCHABLE, ids=name)
def test_every_row_is_shown_through_the_door_of_a_push(row: Row) -> None:
    run = make_run(latency=None)
    collector = Collector([run])
    for line in row.example:
        collector.add(Log(run.id, "stderr", line, 1))
    collector.add(Failed(run.id, "load", "runtime_error", "RKNNLite.init_runtime returned -1", ""))
    failure = collector.result(run.id).run.failure
    assert failure is not None
    assert row.number in [found.number for found in failure.diagnoses]


def test_a_row_of_another_chip_says_whose_it_is_and_comes_behind_the_boards_own() -> None:
    other, own = "incompatible model version: 1", "parseRKNN: invalid RKNN_MAGIC!"
    assert [(found.number, found.scope) for found in match([other])] == [(12, "rv11xx")]
    assert [found.number for found in match([other, own])] == [6, 12]


@pytest.mark.parametrize("row", rows(), ids=name)
def test_every_row_says_cause_advice_and_source(row: Row) -> None:
    assert row.cause
    assert row.advice
    assert row.source
    assert row.seen
    assert row.scope in SCOPES
    assert bool(row.example) is bool(row.pattern)


@pytest.mark.parametrize(
    ("log", "numbers"),
    [
        ("healthy_rk3588_runtime_2.3.2.log", []),
        ("healthy_t2_rk3588_runtime_1.5.2.log", [63]),  # a doubt: model 2.5.0 on runtime 1.5.2
        ("healthy_t2_rk3568_runtime_1.5.2.log", [63]),
    ],
)
def test_a_healthy_log_shows_no_failure(log: str, numbers: list[int]) -> None:
    lines = (LOGS / log).read_text().splitlines()
    found = match(lines)
    assert any("INPUT_DYNAMIC_RANGE" in line for line in lines)
    assert [item.number for item in found] == numbers
    assert [item for item in found if item.severity != "warning"] == []


def test_the_generic_tail_never_wins_over_the_cause() -> None:
    log = [
        "E RKNN: [07:52:01.145] rknn_init, load model failed!",
        "E RKNN: [07:52:01.148] parseRKNN: rknn model is too small!",
    ]
    assert [found.number for found in match(log)] == [8]


def test_the_generic_tail_alone_is_better_than_nothing() -> None:
    assert [found.number for found in match(["rknn_init, load model failed!"])] == [11]


@pytest.mark.parametrize(
    "line", ["Exception: RKNN init failed. error code: RKNN_ERR_FAIL", "rknn_run fail! ret=-1", "ret = -6"]
)
def test_a_return_code_alone_is_no_diagnosis(line: str) -> None:
    assert match([line]) == []


def test_the_worst_comes_first_and_warnings_last() -> None:
    log = [
        "W RKNN: RKNN Model version: 2.5.0 not match with rknn runtime version: 1.5.2",
        "E RKNN: failed to check rknpu hardware version: 0x46495245",
        "E RKNN: This rknn model is for RK3568, but current platform is RK3588",
        "E RKNN: Import rknn model failed!",
        "E RKNN: rknn_init, load model failed!",
    ]
    assert [found.number for found in match(log)] == [59, 63]


def test_what_only_says_what_failed_goes_before_what_says_why() -> None:
    size = "E RKNN: failed to malloc npu memory!, size: 59187712, flags: 0x2"
    kernel = "cma: cma_alloc: reserved: alloc failed, req-size: 1560 pages, ret: -12"
    assert [found.number for found in match([size])] == [24]
    assert [found.number for found in match([size, kernel])] == [27]


def test_the_rule_that_is_known_to_trip_comes_before_the_advice_to_disable_it() -> None:
    rule = "W You can add disable_rules=['fuse_hardsigmoid_mul_to_hardswish'] in rknn.config()"
    known = '  File "active.py", line 497, in rknn.api.rules.active._p_fuse_hardsigmoid_mul_to_hardswish'
    assert match([rule])[0].number == 142
    assert match([rule, known])[0].number == 166


def test_a_diagnosis_carries_the_line_that_it_is_about() -> None:
    found = match(["hello", "  OSError: /usr/lib/librknnrt.so: invalid ELF header\n"])
    assert [item.line for item in found] == ["OSError: /usr/lib/librknnrt.so: invalid ELF header"]


#: A repetition without end where a pattern, or a choice in it, begins: tried anew at each place of a line.
LEADING_REPETITION = re.compile(r"(^|\|)(\\[Ss]|\.)[*+]")


@pytest.mark.parametrize("row", rows(), ids=name)
def test_no_pattern_takes_the_square_of_the_length_of_a_line(row: Row) -> None:
    patterns = [pattern for pattern in (row.pattern, *row.also, *row.unless) if pattern]
    assert [found.pattern for found in patterns if LEADING_REPETITION.search(found.pattern)] == []
