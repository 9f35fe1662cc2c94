"""Gates: what people write, which way is worse, and when there are enough iterations to say so."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest
from rkbench.errors import UsageError
from rkbench.runs.measures import QUANTITIES
from rkbench.stats import gates
from rkbench.stats.gates import (
    CANNOT_TELL,
    FAIL,
    NOT_MEASURED,
    PASS,
    Gate,
    Judgement,
    judge_budget,
    judge_change,
    judge_latency,
    worst,
)


def parse_gate(given: object) -> Gate:
    """Return a gate over the measures that rkbench has."""
    return gates.parse_gate(given, QUANTITIES)


@pytest.mark.parametrize(
    ("text", "quantity", "limit"),
    [
        ("p99 <= 12ms", "p99", 0.012),
        ("p50<=850us", "p50", 0.00085),
        ("latency mean ≤ 1.5 s", "mean", 1.5),
        ("load memory <= 80MB", "load memory", 80e6),
        ("load_memory <= 80 MiB", "load memory", 83886080.0),
        ("Size <= 10MB", "size", 10e6),
        ("cosine >= 0.999", "cosine", 0.999),
        ("top-1 >= 99%", "top-1", 0.99),
        ("top1 >= 0.5", "top-1", 0.5),
        ("snr >= 30dB", "snr", 30.0),
        ("throughput >= 100/s", "throughput", 100.0),
        ("max error <= 1e-3", "max error", 0.001),
    ],
)
def test_a_budget_is_read_as_people_write_it(text: str, quantity: str, limit: float) -> None:
    gate = parse_gate(text)
    assert (gate.quantity.word, gate.within_percent) == (quantity, None)
    assert gate.limit == pytest.approx(limit, rel=1e-12)


@pytest.mark.parametrize(
    "given",
    ["p50 within 5%", "p50  within  5 % of the baseline", {"metric": "p50", "within": "5%"}],
)
def test_a_relative_gate_is_a_sentence_or_a_table(given: object) -> None:
    gate = parse_gate(given)
    assert (gate.quantity.word, gate.limit, gate.within_percent) == ("p50", None, 5.0)
    assert gate.is_relative_latency


def test_tables_hold_budgets_too() -> None:
    assert parse_gate({"metric": "p99", "max": "12ms"}).text == "p99 <= 12ms"
    assert parse_gate({"metric": "cosine", "min": 0.999}).text == "cosine >= 0.999"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("p95 <= 12ms", "'p95' is nothing that is measured"),
        ("cosin >= 0.9", "did you mean cosine"),
        ("p99 <= 12", "12 of what?"),
        ("p99 <= 12MB", "unit 'MB' is not one of p99"),
        ("p99 >= 12ms", "of p99, lower is better"),
        ("cosine <= 0.9", "of cosine, higher is better"),
        ("top-1 >= 99", "a ratio lies between 0 and 1"),
        ("p99 about 12ms", "is not understood"),
        ("max within 5%", "scatters too much"),
        ("load time within 5%", "scatters too much"),
        ("p99 <= 1.2.3ms", "is no number"),
        ({"metric": "p50"}, "is not understood"),
        ({"metric": "p50", "within": "5%", "max": "1ms"}, "is not understood"),
        (7, "is not understood"),
    ],
)
def test_what_is_no_gate_is_named(given: object, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_gate(given)
    assert words in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "value", "state"),
    [
        ("p99 <= 12ms", 0.0119, PASS),
        ("p99 <= 12ms", 0.012, PASS),
        ("p99 < 12ms", 0.012, FAIL),
        ("p99 <= 12ms", 0.0121, FAIL),
        ("cosine >= 0.999", 0.999, PASS),
        ("cosine > 0.999", 0.999, FAIL),
        ("cosine >= 0.999", 0.998, FAIL),
        ("cosine >= 0.999", math.nan, FAIL),
        ("max error <= 1", math.nan, FAIL),
        ("p99 <= 12ms", None, NOT_MEASURED),
    ],
)
def test_a_budget_knows_which_way_is_worse(text: str, value: float | None, state: str) -> None:
    assert judge_budget(parse_gate(text), value).state == state


@pytest.mark.parametrize(
    ("text", "baseline", "value", "state"),
    [
        ("size within 2%", 100.0, 101.9, PASS),
        ("size within 2%", 100.0, 102.1, FAIL),
        ("size within 2%", 100.0, 50.0, PASS),
        ("cosine within 1%", 1.0, 0.995, PASS),
        ("cosine within 1%", 1.0, 0.98, FAIL),
        ("cosine within 1%", 0.9, 1.0, PASS),
        ("cosine within 1%", 0.9, math.nan, FAIL),
        ("max error within 1%", 0.0, 0.1, CANNOT_TELL),
        ("size within 2%", None, 100.0, NOT_MEASURED),
        ("size within 2%", 100.0, None, NOT_MEASURED),
    ],
)
def test_a_change_for_the_better_never_fails(
    text: str, baseline: float | None, value: float | None, state: str
) -> None:
    assert judge_change(parse_gate(text), value, baseline).state == state


def made(seed: int, factor: float = 1.0, count: int = 300) -> list[list[float]]:
    """Return blocks of 50 iterations around 1 ms, each lengthened by |N(0, 1)| x 1 %."""
    source = random.Random(seed)
    values = [factor * 1e6 * (1 + 0.01 * abs(source.gauss(0, 1))) for _ in range(count)]
    return [values[start : start + 50] for start in range(0, count, 50)]


def judged(text: str, baseline: Sequence[Sequence[float]], candidate: Sequence[Sequence[float]]) -> Judgement:
    return judge_latency(parse_gate(text), (1e-3, 1e-3), baseline, candidate)


@pytest.mark.parametrize("quantity", ["p50", "mean", "p90", "p99"])
def test_ten_percent_is_beyond_five_and_two_are_not(quantity: str) -> None:
    slow = judged(f"{quantity} within 5%", made(1), made(2, 1.1))
    assert slow.state == FAIL
    assert slow.low_percent is not None
    assert slow.high_percent is not None
    assert 8 < slow.low_percent < 10 < slow.high_percent < 12
    assert judged(f"{quantity} within 5%", made(1), made(2, 1.02)).state == PASS
    assert judged(f"{quantity} within 5%", made(1), made(2, 0.5)).state == PASS


def test_an_interval_that_holds_the_smallest_effect_tells_nothing() -> None:
    source = random.Random(5)
    noisy = [[1e6 * (1.05 + 0.2 * source.random()) for _ in range(10)] for _ in range(6)]
    base = [[1e6 * (1 + 0.2 * source.random()) for _ in range(10)] for _ in range(6)]
    found = judged("p50 within 5%", base, noisy)
    assert found.state == CANNOT_TELL
    assert found.detail == "the interval holds 5 %: give the plan more iterations"


def test_too_few_iterations_tell_nothing_and_none_are_not_measured() -> None:
    assert judged("p50 within 5%", made(1), made(2, 2.0, count=20)).state == CANNOT_TELL
    assert judged("p99 within 5%", made(1), made(2, 2.0, count=90)).state == CANNOT_TELL
    assert judged("p50 within 5%", made(1), []).state == NOT_MEASURED


def test_a_percent_between_nights_is_no_alarm_in_three_hundred_pairs_of_them() -> None:
    nights = random.Random(2026)
    gate = parse_gate("p50 within 5%")
    states = [
        judge_latency(
            gate,
            (1e-3, 1e-3),
            made(2 * seed, nights.gauss(1.0, 0.01), count=100),
            made(2 * seed + 1, nights.gauss(1.0, 0.01), count=100),
        ).state
        for seed in range(300)
    ]
    assert (states.count(FAIL), states.count(PASS)) == (0, 300)


def test_ten_percent_more_is_found_through_a_percent_between_nights() -> None:
    nights = random.Random(2027)
    gate = parse_gate("p50 within 5%")
    states = [
        judge_latency(gate, (1e-3, 1e-3), made(0), made(seed, 1.1 * nights.gauss(1.0, 0.01))).state
        for seed in range(1, 101)
    ]
    assert states.count(FAIL) == 100


def test_the_worst_state_is_a_failure_and_nothing_measured_is_not_green() -> None:
    assert worst([PASS, FAIL, NOT_MEASURED]) == FAIL
    assert worst([PASS, CANNOT_TELL, NOT_MEASURED]) == NOT_MEASURED
    assert worst([]) == PASS
    assert not Gate("p99 <= 1ms", "p99", limit=1e-3).is_relative
