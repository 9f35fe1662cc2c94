"""Who wins, by what the others lose, and what no other beats."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from made_runs import collected, make_latency, make_run
from rkbench.conversion.build import Built
from rkbench.conversion.draft import Draft
from rkbench.conversion.plan import FailedConversion
from rkbench.conversion.typed import Delivered
from rkbench.errors import ConversionError
from rkbench.results.gating import parse_requirements, with_requirements
from rkbench.results.model import RunResult
from rkbench.sweep.verdict import MeasuredVariant, SweepVerdict, judge
from rkbench.variants.conversion_record import ConversionRecord, OnnxSource

RECORD = ConversionRecord("", "rk3588", "fp16", "2.5.0", OnnxSource("", "", ""), "", "", 1, {}, 1, {})


def variant(number: int, recipe: str, size: int, cosine: float, p50_s: float = 0.002) -> MeasuredVariant:
    run = make_run(number, recipe)
    run = replace(
        run,
        variant=replace(run.variant, size_bytes=size),
        outputs=(replace(run.outputs[0], cosine=cosine),),
        latency=make_latency(p50_s),
    )
    return of_run(recipe, run)


def of_run(recipe: str, run: RunResult) -> MeasuredVariant:
    gates = parse_requirements(["cosine >= 0.9995"])
    built = Built(Draft("rk3588", words=tuple(recipe.split(","))), Path(), RECORD, fresh=True)
    return MeasuredVariant(Delivered(built, Path(recipe)), with_requirements(collected(run), gates))


def judged(*variants: MeasuredVariant, **more: Any) -> SweepVerdict:
    return judge("size", variants, more.get("failed", ()), {}, None)


BIG = variant(1, "fp16", 63_000_000, 1.0)
FIXED = variant(2, "fix,fp16", 8_000_000, 0.99999)
COARSE = variant(3, "int8", 5_000_000, 0.99)
FINE = variant(4, "fix,int8-mmse", 5_700_000, 0.9999, 0.001)


def test_the_smallest_of_those_that_keep_it_wins_and_each_other_is_told_why_not() -> None:
    verdict = judged(BIG, FIXED, COARSE, FINE)
    assert verdict.winner == "fix,int8-mmse"
    assert verdict.lost == {
        "fp16": "size 63.0 MB, the winner has 5.70 MB",
        "fix,fp16": "size 8.00 MB, the winner has 5.70 MB",
        "int8": "cosine >= 0.9995: 0.99000",
    }
    assert verdict.doubt == ""


def test_what_no_board_measured_is_marked_and_what_is_of_the_file_is_not() -> None:
    fast, slow, coarse = (
        of_run(each.recipe, replace(each.run, simulated=True))
        for each in (
            variant(5, "fp16", 9_000_000, 1.0, 0.001),
            variant(6, "other", 9_000_000, 1.0, 0.002),
            COARSE,
        )
    )
    assert judge("p50", (fast, slow, coarse), (), {}, None).lost == {
        "other": "p50 ≈2.00 ms, the winner has ≈1.00 ms",
        "int8": "cosine >= 0.9995: ≈0.99000",
    }
    assert judged(fast, slow).lost == {
        "other": "size 9.00 MB like the winner, whose p50 is better (≈1.00 ms, not ≈2.00 ms)"
    }


def test_the_front_holds_what_nothing_beats_in_size_latency_and_cosine_at_once() -> None:
    slow = variant(5, "int16", 9_000_000, 0.99998, 0.003)  # fix,fp16 is smaller, faster and nearer
    assert judged(BIG, FIXED, COARSE, FINE, slow).front == ("fp16", "fix,fp16", "int8", "fix,int8-mmse")


def test_of_equal_ones_the_nearer_wins_and_it_is_said_that_they_are_equal() -> None:
    other = variant(5, "fix,int8-kl", 5_700_000, 0.9998, 0.001)
    verdict = judged(other, FINE)
    assert verdict.winner == "fix,int8-mmse"
    assert verdict.doubt == "fix,int8-kl and fix,int8-mmse are equal"
    assert verdict.lost == {
        "fix,int8-kl": "size 5.70 MB like the winner, whose cosine is better (0.99990, not 0.99980)"
    }


def test_of_three_that_are_equal_all_are_named_and_what_reads_alike_is_not_called_equal() -> None:
    names = ("int8-kl", "int8-mmse", "int8-absmax")
    same = [variant(number, name, 5_700_000, 0.9998) for number, name in enumerate(names, 5)]
    more = variant(9, "int8", 5_700_064, 0.9998)
    verdict = judged(more, *same)
    assert verdict.doubt == "int8-kl, int8-mmse and int8-absmax are equal"
    assert verdict.lost["int8"] == "size 5.70 MB, hardly more than the winner"
    assert verdict.lost["int8-mmse"] == "size 5.70 MB like the winner, and nothing tells them apart"


def test_recipes_that_come_to_one_file_are_said_to() -> None:
    verdict = judged(FINE, of_run("int8-mmse", FINE.run))
    assert verdict.winner == "fix,int8-mmse"
    assert verdict.lost == {"int8-mmse": "the same file as that of fix,int8-mmse"}


def test_where_none_keeps_it_none_wins_and_a_failed_conversion_is_named() -> None:
    failed = (FailedConversion(Draft("rk3588", words=("int16",)), ConversionError("no such op")),)
    verdict = judged(COARSE, failed=failed)
    assert verdict.winner is None
    assert verdict.lost == {"int16": "not converted: no such op", "int8": "cosine >= 0.9995: 0.99000"}
