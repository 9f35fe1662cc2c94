"""`--minimize`: the variants that keep what is required in order, and when the first is called best."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_runs import collected, make_latency, make_run
from rkbench.campaign import compare_collected
from rkbench.errors import UsageError
from rkbench.results.collect import Collected
from rkbench.results.extras import Requirement
from rkbench.results.gating import parse_minimize
from rkbench.results.loads import Load, LoadFigures, LoadRange
from rkbench.results.model import Failure, RunResult
from rkbench.results.ranking import Ranking
from rkbench.views.push.ranking import ranking_lines


def variant(number: int, name: str, word: str, ms: float = 2.0, **changes: object) -> RunResult:
    """Return a run that was asked to be ranked by `word`."""
    run = make_run(number, name, latency=make_latency(ms / 1000), **changes)
    return replace(run, plan=replace(run.plan, minimize=word))


def ranked(*pairs: tuple[RunResult, float], loads: int = 7) -> Ranking:
    """Return the ranking of runs whose calls take so many milliseconds."""
    items: list[Collected] = [collected(run, round(ms * 1e6), loads=loads) for run, ms in pairs]
    ranking = compare_collected(items).ranking
    assert ranking is not None
    return ranking


def order(ranking: Ranking) -> str:
    return " ".join(item.run[-2:] for item in ranking.ranked)


def test_nobody_is_ranked_where_nobody_asked() -> None:
    assert compare_collected([collected(make_run(1)), collected(make_run(2))]).ranking is None


@pytest.mark.parametrize("word", ["p50", "mean", "p99"])
def test_the_lowest_is_best_where_it_beats_every_other(word: str) -> None:
    a, b, c = (variant(n, name, word, ms) for n, name, ms in ((1, "a", 2.0), (2, "b", 1.5), (3, "c", 1.8)))
    found = ranked((a, 2.0), (b, 1.5), (c, 1.8))
    assert (order(found), found.best, found.reason) == ("02 03 01", b.id, "")


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("p50", "b and c do not differ by more than 2 %"),
        ("mean", "b and c do not differ by more than 2 %"),
        ("p99", "b and c do not differ by more than 2 %"),
    ],
)
def test_two_that_are_alike_are_both_lowest(word: str, why: str) -> None:
    a, b, c = (variant(n, name, word, ms) for n, name, ms in ((1, "a", 2.0), (2, "b", 1.5), (3, "c", 1.5)))
    found = ranked((a, 2.0), (b, 1.5), (c, 1.5))
    assert (found.best, found.reason) == (None, why)
    verdict = compare_collected(
        [collected(run, round(ms * 1e6)) for run, ms in ((a, 2.0), (b, 1.5), (c, 1.5))]
    ).verdict
    assert verdict.startswith(f"Which has the lowest {word} can't be told: {why}. ")


def test_too_few_loads_name_nobody_and_say_how_many_would() -> None:
    found = ranked((variant(1, "a", "p50"), 2.0), (variant(2, "b", "p50", 1.5), 1.5), loads=3)
    assert (found.best, found.reason) == (None, "b and a can't be told apart: 6 loads would tell")


def test_who_crosses_a_requirement_or_failed_does_not_count() -> None:
    crossed = Requirement("cosine >= 0.9999", "cosine", "", "fail", 0.99)
    untold = replace(crossed, state="can't tell")
    fast = variant(1, "fast", "p50", 1.0, requirements=(crossed,))
    doubtful = variant(2, "doubtful", "p50", 1.0, requirements=(untold,))
    dead = variant(3, "dead", "p50", 1.0, failure=Failure("load", "crash", "died"))
    good = variant(4, "good", "p50", 3.0)
    found = ranked((fast, 1.0), (doubtful, 1.0), (dead, 1.0), (good, 3.0))
    assert (order(found), found.best) == ("04", good.id)
    assert [over.reason for over in found.passed_over] == [
        "cosine >= 0.9999: fail",
        "cosine >= 0.9999: can't tell",
        "it failed in load",
    ]
    assert ranking_lines(found, [fast, doubtful, dead, good])[:3] == [
        "lowest p50 first",
        " 1  good      3.00 ms (95 %: 2.997–3.003 ms)",
        " –  fast      cosine >= 0.9999: fail",
    ]


def loading(*ms: float) -> Load:
    """Return loads that took so long, and all the same memory of the NPU."""
    loads = tuple(LoadFigures(duration_s=each / 1000, npu_total_bytes=1000) for each in ms)
    ranges = (LoadRange("duration_s", len(ms), min(ms) / 1000, max(ms) / 1000),) if len(ms) > 1 else ()
    return Load(sorted(ms)[len(ms) // 2] / 1000, npu_total_bytes=1000, loads=loads, ranges=ranges)


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        ((20, 21, 22, 23), (30, 31, 32, 33), ""),
        ((20, 21, 22, 31), (30, 31, 32, 33), "loads of a and b overlap"),
        ((20, 21), (30, 31), "2 loads of a and b are too few: leave --loads away"),
        ((20,), (30,), "one load of a and b tells nothing of others: leave --loads away"),
    ],
)
def test_what_a_load_takes_is_lowest_where_every_load_is(
    one: tuple[float, ...], other: tuple[float, ...], reason: str
) -> None:
    a, b = (
        variant(n, name, "load time", load=loading(*ms)) for n, name, ms in ((1, "a", one), (2, "b", other))
    )
    found = ranked((a, 2.0), (b, 2.0))
    assert (order(found), found.best, found.reason) == ("01 02", None if reason else a.id, reason)


def test_what_does_not_scatter_is_compared_as_it_is() -> None:
    a, b = (variant(n, name, "load memory", load=loading(20, 30)) for n, name in ((1, "a"), (2, "b")))
    assert ranked((a, 2.0), (b, 2.0)).reason == "a and b are equal"
    small = replace(b, variant=replace(b.variant, size_bytes=5), plan=replace(b.plan, minimize="size"))
    found = ranked((replace(a, plan=small.plan), 2.0), (small, 2.0))
    assert (found.best, found.metric) == (small.id, "size_bytes")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("p99", "p99"),
        ("latency_p99", "p99"),
        ("latency_p999_s", "p99.9"),
        ("load_npu_total_bytes", "load memory"),
        ("load memory", "load memory"),
    ],
)
def test_a_measure_goes_by_every_name_that_it_has(text: str, word: str) -> None:
    assert parse_minimize(text) == word


@pytest.mark.parametrize(
    ("text", "words", "hint"),
    [
        ("p98", "'p98' is nothing that is measured", "did you mean p99 or p95?"),
        ("cosine", "of it, higher is better", "--require 'cosine >= ...' with what it costs to --minimize"),
        ("max", "one call out of all", "--minimize p99"),
        ("throughput", "of it, higher is better", "--minimize mean"),
    ],
)
def test_what_cannot_be_ranked_is_refused_with_what_can(text: str, words: str, hint: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        parse_minimize(text)
    assert caught.value.hint == hint


def test_runs_of_one_variant_are_told_apart_by_their_cores() -> None:
    items = []
    for number, (mask, ms) in enumerate((("auto", 2.0), ("all", 1.0), ("0-1", 1.0)), 1):
        run = variant(number, "net", "p50", ms)
        items.append(collected(replace(run, plan=replace(run.plan, core_mask=mask)), round(ms * 1e6)))
    verdict = compare_collected(items).verdict
    assert "net, cores all and net, cores 0-1 do not differ by more than 2 %" in verdict
    assert "Against net, cores auto: net, cores all is faster" in verdict
