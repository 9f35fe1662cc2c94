"""Gates: what people write, which way is worse, and when there are enough iterations to say so."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import numpy as np
import pytest
from rkbench.errors import UsageError
from rkbench.results.measures import QUANTITIES
from rkbench.stats import gates
from rkbench.stats.clusters import clusters_of
from rkbench.stats.gates import (
    CANNOT_TELL,
    FAIL,
    NOT_MEASURED,
    PASS,
    Gate,
    worst,
)
from rkbench.stats.judging import (
    Judgement,
    judge_budget,
    judge_change,
    judge_latency,
    judge_latency_budget,
)


def parse_gate(given: object) -> Gate:
    """Return a gate over the measures that rkbench has."""
    return gates.parse_gate(given, QUANTITIES)


@pytest.mark.parametrize("hits", range(101))
def test_a_share_of_a_hundred_keeps_a_limit_that_it_is_at(hits: int) -> None:
    """95 * 0.01 is more than 95 / 100."""
    gate = parse_gate(f"top-1 >= {hits}%")
    assert gate.limit == hits / 100
    assert judge_budget(gate, hits / 100).state == "pass"


def test_a_size_of_a_decimal_limit_keeps_it() -> None:
    assert parse_gate("size <= 2.01MB").limit == 2_010_000


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
        ("cosine >= -0.5", "cosine", -0.5),
        ("snr >= -3dB", "snr", -3.0),
        ("metric >= -1e3", "metric", -1000.0),
        ("cpu layers == 0", "cpu layers", 0.0),
        ("float_layers <= 3", "float layers", 3.0),
    ],
)
def test_a_budget_is_read_as_people_write_it(text: str, quantity: str, limit: float) -> None:
    gate = parse_gate(text)
    assert (gate.quantity.word, gate.within_percent) == (quantity, None)
    assert gate.limit == pytest.approx(limit, rel=1e-12)


@pytest.mark.parametrize(
    ("given", "percent"),
    [
        ("p50 history", 1.0),
        ("p50 within 2% of history", 2.0),
        ("p50 within 2.5 % of the history", 2.5),
        ({"metric": "p50", "within": "2% of history"}, 2.0),
    ],
)
def test_a_gate_on_history_is_one_against_the_nights_before(given: object, percent: float) -> None:
    gate = parse_gate(given)
    assert (gate.of_history, gate.is_relative, gate.within_percent) == (True, True, percent)
    assert gates.is_relative(gate.text)


def test_only_latencies_have_a_history() -> None:
    with pytest.raises(UsageError, match="only latencies have a history that is judged"):
        parse_gate("load memory history")


@pytest.mark.parametrize(
    "given",
    ["p50 within 5%", "p50  within  5 % of the baseline", {"metric": "p50", "within": "5%"}],
)
def test_a_relative_gate_is_a_sentence_or_a_table(given: object) -> None:
    gate = parse_gate(given)
    assert (gate.quantity.word, gate.limit, gate.within_percent) == ("p50", None, 5.0)
    assert gate.is_of_latency


def test_tables_hold_budgets_too() -> None:
    assert parse_gate({"metric": "p99", "max": "12ms"}).text == "p99 <= 12ms"
    assert parse_gate({"metric": "cosine", "min": 0.999}).text == "cosine >= 0.999"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("p97 <= 12ms", "'p97' is nothing that is measured"),
        ("cosin >= 0.9", "did you mean cosine"),
        ("p99 <= 12", "12 of what?"),
        ("p99 <= 12MB", "unit 'MB' is not one of p99"),
        ("p99 >= 12ms", "of p99, lower is better"),
        ("cosine <= 0.9", "of cosine, higher is better"),
        ("top-1 >= 99", "a ratio lies between 0 and 1"),
        ("top-1 >= -1%", "a ratio lies between 0 and 1"),
        ("cosine >= 1.5", "cosine is between -1 and 1"),
        ("cosine >= -2", "cosine is between -1 and 1"),
        ("p99 <= -12ms", "p99 is 0 or more"),
        ("max error <= -1", "max error is 0 or more"),
        ("throughput >= -1/s", "throughput is 0 or more"),
        ("p99 about 12ms", "is not understood"),
        ("cpu layers == 3", "cpu layers <= 3"),
        ("p99 == 0ms", "== goes with counts"),
        ("cpu layers >= 1", "of cpu layers, lower is better"),
        ("cpu layers within 5%", "cpu layers == 0"),
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


def made(seed: int, factor: float = 1.0, count: int = 300, block: int = 25) -> list[list[float]]:
    """Return blocks of iterations around 1 ms, each lengthened by |N(0, 1)| x 1 %."""
    source = random.Random(seed)
    values = [factor * 1e-3 * (1 + 0.01 * abs(source.gauss(0, 1))) for _ in range(count)]
    return [values[start : start + block] for start in range(0, count, block)]


def judged(text: str, baseline: Sequence[Sequence[float]], candidate: Sequence[Sequence[float]]) -> Judgement:
    return judge_latency(parse_gate(text), (1e-3, 1e-3), clusters_of([baseline]), clusters_of([candidate]))


@pytest.mark.parametrize("quantity", ["p50", "mean", "p90", "p95", "p99"])
def test_ten_percent_is_beyond_five_and_two_are_not(quantity: str) -> None:
    base = made(1, count=1000)
    slow = judged(f"{quantity} within 5%", base, made(2, 1.1, 1000))
    assert slow.state == FAIL
    assert slow.low_percent is not None
    assert slow.high_percent is not None
    assert 8 < slow.low_percent < 10 < slow.high_percent < 12
    assert judged(f"{quantity} within 5%", base, made(2, 1.02, 1000)).state == PASS
    assert judged(f"{quantity} within 5%", base, made(2, 0.5, 1000)).state == PASS


def test_an_interval_that_holds_the_smallest_effect_tells_nothing() -> None:
    source = random.Random(5)
    noisy = [[1.05 + 0.2 * source.random() for _ in range(5)] for _ in range(12)]
    base = [[1 + 0.2 * source.random() for _ in range(5)] for _ in range(12)]
    found = judged("p50 within 5%", base, noisy)
    assert found.state == CANNOT_TELL
    assert found.detail == (
        "the interval holds 5 %: more iterations help only as far as nights do not differ (pin = true)"
    )


def test_too_few_blocks_tell_nothing_and_no_iterations_are_not_measured() -> None:
    few = judged("p50 within 5%", made(1, block=300), made(2, 2.0, count=275))
    assert few.state == CANNOT_TELL
    assert few.detail == "the interval of p50 needs 12 iterations in 12 blocks, not 275 in 11"
    old = judged("p90 within 5%", made(1, block=50), made(2, 2.0))
    assert old.detail.startswith("the baseline: the interval of p90 needs")
    assert judged("p99 within 5%", made(1), made(2, 2.0)).state == NOT_MEASURED
    assert judged("p50 within 5%", made(1), []).state == NOT_MEASURED


def test_where_there_is_no_interval_blocks_that_all_agree_decide() -> None:
    old = made(1, count=200, block=50)  # as the first version measured
    assert [judged("p50 within 5%", old, made(2, factor)).state for factor in (1.0, 1.05, 1.1)] == [
        PASS,
        CANNOT_TELL,
        FAIL,
    ]
    assert judged("p50 within 5%", old, made(2, 1.1)).detail == "every block lies beyond it"
    assert judged("p90 within 5%", old, made(2, 1.1)).state == CANNOT_TELL
    assert judged("p50 within 5%", old[:1], made(2, 1.1)).state == CANNOT_TELL


def stalled(seed: int) -> list[list[float]]:
    """Return fifteen blocks of 20 calls of 10 ms, one of which takes 3.5 s."""
    blocks = made(seed, 10.0, count=300, block=20)
    return [[3.5, *blocks[0][1:]], *blocks[1:]]


def test_a_call_that_stalled_leaves_a_mean_without_a_bound_below() -> None:
    even = made(1, 10.0)
    found = [judged("mean within 5%", *nights) for nights in ((even, stalled(2)), (stalled(1), stalled(2)))]
    assert [item.state for item in found] == [CANNOT_TELL, CANNOT_TELL]
    assert "stalled" in found[0].detail
    assert judged("mean within 5%", stalled(1), even).state == PASS  # every block lies within it
    assert budget("mean <= 1s", stalled(1)).state == PASS
    assert budget("mean <= 15ms", stalled(1)).state == CANNOT_TELL


def test_calls_of_no_time_have_no_figure() -> None:
    nothing = [[0.0] * 20] * 15
    for base, now in ((made(1), nothing), (nothing, made(1))):
        assert judged("p50 within 5%", base, now).state == NOT_MEASURED


def budget(text: str, blocks: Sequence[Sequence[float]]) -> Judgement:
    return judge_latency_budget(parse_gate(text), (None, 1e-3), clusters_of([blocks]))


@pytest.mark.parametrize(
    ("limit", "state"),
    [("1.01ms", PASS), ("1.0066ms", CANNOT_TELL), ("1.0075ms", CANNOT_TELL), ("1ms", FAIL)],
)
def test_a_budget_is_judged_by_the_interval_and_not_by_the_point(limit: str, state: str) -> None:
    found = budget(f"p50 <= {limit}", made(3))
    assert found.state == state
    assert found.low is not None
    assert found.high is not None
    assert 1.005e-3 < found.low < 1.0068e-3 < 1.0075e-3 < found.high < 1.0085e-3


def test_an_undecided_budget_names_the_iterations_that_would_tell() -> None:
    estimated = float(np.median(np.concatenate(made(3))))
    found = budget("p50 <= 1.0075ms", made(3))
    assert found.detail == "the interval holds its limit: about 1300 iterations would tell"
    detail = budget(f"p50 <= {1e3 * estimated:.9f}ms", made(3)).detail
    assert detail == "it lies at its limit: no number of iterations tells"


def test_a_budget_without_an_interval_is_decided_only_where_all_blocks_agree() -> None:
    few = made(4, block=50)
    assert (len(few), budget("p50 <= 1ms", few).detail) == (6, "every block lies beyond it")
    assert budget("p50 <= 1ms", few).state == FAIL
    assert budget("p50 <= 1ms", few[:5]).state == CANNOT_TELL
    middle = 1e3 * float(np.median([np.median(block) for block in few]))
    assert budget(f"p50 <= {middle:.6f}ms", few).state == CANNOT_TELL
    assert (budget("p50 <= 2ms", few).state, budget("p50 <= 2ms", few[:5]).state) == (PASS, CANNOT_TELL)


def test_calls_that_take_just_what_a_budget_says_are_at_it() -> None:
    """Without scatter the interval is a point: it keeps `<=`, crosses `<`, and asks for no more."""
    exact = [[1e-3] * 20 for _ in range(30)]
    few = exact[:8]
    assert [budget(f"p50 {sign} 1ms", exact).state for sign in ("<=", "<")] == ["pass", "fail"]
    assert [budget(f"p50 {sign} 1ms", few).state for sign in ("<=", "<")] == ["pass", "can't tell"]
    assert [budget(text, few).state for text in ("p50 <= 0.9ms", "p50 < 1.1ms")] == ["fail", "pass"]


def test_blocks_of_a_level_that_wanders_decide_from_afar_alone() -> None:
    """They resemble their neighbours: that all lie on one side of a near limit is no six throws of a coin."""
    blocks = [[1e-3 * (1 + 0.01 * block)] * 20 for block in range(12)]
    near, far = budget("p50 <= 0.95ms", blocks), budget("p50 <= 0.85ms", blocks)
    assert (near.state, far.state) == ("can't tell", "fail")
    assert "the level wanders" in near.detail
    assert [budget(f"p50 <= {limit}ms", blocks).state for limit in (1.15, 1.3)] == ["can't tell", "pass"]


def loads_of(levels: Sequence[float]) -> list[list[list[float]]]:
    """Return a load at each of these levels (1 ms times so much), of four blocks of 25 calls."""
    return [made(seed, level, count=100) for seed, level in enumerate(levels)]


def test_a_budget_over_loads_asks_for_loads_and_not_for_iterations() -> None:
    levels = [1, 1.02, 0.99, 1.01, 0.98, 1.015, 0.985]
    found = judge_latency_budget(parse_gate("p50 <= 1.015ms"), (None, 1e-3), clusters_of(loads_of(levels)))
    assert found.state == CANNOT_TELL
    assert found.detail == "the interval holds its limit: about 122 loads would tell"
    few = judge_latency_budget(parse_gate("p50 <= 1.015ms"), (None, 1e-3), clusters_of(loads_of(levels[:5])))
    assert few.detail == "the interval of p50 needs 12 iterations in 6 loads, not 500 in 5"
    tail = judge_latency_budget(
        parse_gate("p90 <= 1.05ms"), (None, 1e-3), clusters_of(loads_of([1] * 9 + [2]))
    )
    assert (tail.state, tail.high) == (CANNOT_TELL, None)
    assert tail.detail.endswith("more loads see further (--loads 20)")


def test_of_a_level_that_wanders_a_budget_says_that_more_iterations_do_not_help() -> None:
    wandering = [[1e-3 * (1 + 0.002 * (step // 5)) for _ in range(20)] for step in range(40)]
    found = budget("p50 <= 1.007ms", wandering)
    assert (found.state, found.low) == (CANNOT_TELL, None)
    assert "more iterations do not help" in found.detail


def test_a_percent_between_nights_is_no_alarm_in_a_hundred_pairs_of_them() -> None:
    nights = random.Random(2026)
    gate = parse_gate("p50 within 5%")
    states = [
        judge_latency(
            gate,
            (1e-3, 1e-3),
            clusters_of([made(2 * seed, nights.gauss(1.0, 0.01), count=120, block=10)]),
            clusters_of([made(2 * seed + 1, nights.gauss(1.0, 0.01), count=120, block=10)]),
        ).state
        for seed in range(100)
    ]
    assert states.count(FAIL) == 0
    assert states.count(PASS) >= 95


def test_ten_percent_more_is_found_through_a_percent_between_nights() -> None:
    nights = random.Random(2027)
    states = [
        judged("p50 within 5%", made(0), made(seed, 1.1 * nights.gauss(1.0, 0.01))).state
        for seed in range(1, 101)
    ]
    assert states.count(FAIL) >= 95


def test_the_worst_state_is_a_failure_and_nothing_measured_is_not_green() -> None:
    assert worst([PASS, FAIL, NOT_MEASURED]) == FAIL
    assert worst([PASS, CANNOT_TELL, NOT_MEASURED]) == NOT_MEASURED
    assert worst([]) == PASS
    assert not Gate("p99 <= 1ms", "p99", limit=1e-3).is_relative
