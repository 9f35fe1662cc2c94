"""A push of many variants: a row each, nothing cut, the best marked, and all of it on one screen."""

from __future__ import annotations

import re
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from made_runs import collected, make_latency, make_run
from rkbench.campaign import compare_collected
from rkbench.errors import UsageError
from rkbench.results.collect import Collected
from rkbench.results.model import Failure
from rkbench.results.names import folded_names
from rkbench.views.push.console import print_push
from rkbench.views.push.overview import check_sort, overview
from rkbench.views.push.paragraphs import print_paragraph
from rkbench.views.push.table import Tone
from rkbench.views.terminal import make_console
from rkbench_agent.wire.caveats import INFORMATION, WEIGHTS, Caveat
from view_runs import Terminal

GOVERNOR = Caveat("governor", "NPU governor ondemand: clocks may follow the load", "set performance")


def variants(count: int, **changes: Any) -> list[Collected]:
    """Return so many variants, each smaller and faster than the one before it."""
    items = []
    for number in range(1, count + 1):
        run = make_run(number, f"mobilenetv2.rk3588.recipe-{number}.rknn", **changes)
        cosine = 0.99999 - number * 1e-4
        run = replace(
            run,
            variant=replace(run.variant, size_bytes=14_580_397 - number * 900_000),
            latency=make_latency(0.00226 - number * 0.00008),
            outputs=(replace(run.outputs[0], cosine=cosine),),
            caveats=(GOVERNOR, Caveat("few_blocks", f"p99 of {number} blocks is rough", "measure longer")),
        )
        items.append(collected(run, 2_260_000 - number * 80_000))
    return items


def shown(items: list[Collected], width: int = 80, sort: str = "") -> list[str]:
    out = StringIO()
    print_push([i.run for i in items], compare_collected(items), make_console(out, width), sort=sort)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 100, 140])
def test_twelve_variants_are_shown_in_at_most_40_lines(width: int) -> None:
    lines = shown(variants(12), width)
    assert len(lines) <= 40
    assert max(map(len, lines)) <= width
    assert "…" not in "".join(lines).replace("variants mobilenetv2.rk3588.….rknn", "")
    rows = [line for line in lines if re.match(r"recipe-\d+ ", line)]
    assert len(rows) == 12
    assert rows[11].split()[:3] == ["recipe-12", "*3.78", "MB"]
    assert "*1.30 ms -40.4 %" in rows[11]


def test_what_a_narrow_terminal_has_no_column_for_is_said() -> None:
    assert "on a wider terminal: p99" in " ".join(shown(variants(12), 60))
    assert not any("on a wider terminal" in line for line in shown(variants(12), 140))
    assert any(" p99 " in line for line in shown(variants(12), 60, sort="p99"))


def test_equal_caveats_are_one_line_with_whom_they_concern() -> None:
    items = variants(6)
    third = replace(
        items[2].run, caveats=(*items[2].run.caveats, Caveat("throttling", "it throttled", "cool"))
    )
    items[2] = replace(items[2], run=replace(third, verdict="SUSPECT"))
    text = " ".join(" ".join(shown(items, 140)).split())
    assert text.count("NPU governor ondemand") == 1
    assert "all 6: NPU governor ondemand: clocks may follow the load → set performance" in text
    assert "all 6: p99 of 1 blocks is rough → measure longer (of recipe-1; the others alike)" in text
    assert "recipe-3: it throttled → cool" in text


def test_many_that_are_just_faster_are_counted() -> None:
    items = [
        collected(item.run, 1_900_000 if place else 2_260_000, loads=9)
        for place, item in enumerate(variants(12))
    ]
    lines = shown(items, 80)
    text = " ".join(lines)
    assert "recipe-12 is the smallest (-72.4 %) and faster, " in text
    assert "; 10 others are faster, too; which of them is the fastest can't be told" in text
    assert "recipe-7 is faster" not in text
    assert len(lines) <= 40


def fitted(items: list[Collected], out: StringIO) -> list[str]:
    print_push([i.run for i in items], compare_collected(items), make_console(out, 80), fits_screen=True)
    return out.getvalue().splitlines()


def doubtful(kinds: int) -> list[Collected]:
    """Return twelve variants with so many kinds of caveats of two lines each, the last one a doubt."""
    codes = [*sorted(code for code, weight in WEIGHTS.items() if weight == INFORMATION)[: kinds - 1], "drift"]
    codes = [code if code != "simulated" else "ties" for code in codes]
    told = tuple(Caveat(code, f"of {code}: " + "it wanders " * 8, "measure longer") for code in codes)
    return [replace(i, run=replace(i.run, caveats=told)) for i in variants(12)]


@pytest.mark.parametrize(("out", "room"), [(StringIO(), 33), (Terminal(), 38)], ids=["pipe", "terminal"])
@pytest.mark.parametrize("kinds", [1, 3, 6, 14])
def test_what_is_too_much_for_a_screen_is_folded_with_the_number_of_runs(
    kinds: int, out: StringIO, room: int
) -> None:
    items = doubtful(kinds)
    lines = fitted(items, type(out)())
    text = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", " ".join(lines)).split())
    assert len(lines) <= room
    for caveat in items[0].run.caveats:
        assert caveat.message.strip() in text or f"{caveat.code.replace('_', ' ')} (all 12)" in text


def test_what_doubts_a_number_is_folded_last() -> None:
    text = " ".join(fitted(doubtful(6), Terminal()))
    assert "of drift: it wanders" in text
    assert "drift (all 12)" not in text


def test_what_is_shown_again_is_shown_in_full() -> None:
    assert "in words:" not in " ".join(shown(doubtful(14)))


def test_equal_failures_are_told_once() -> None:
    items = variants(6)
    failure = Failure("load", "crash", "it died", log_tail=("E RKNN: no", "E RKNN: way"))
    items[1:4] = [replace(i, run=replace(i.run, failure=failure)) for i in items[1:4]]
    text = "\n".join(shown(items))
    assert "recipe-2, recipe-3, recipe-4 failed in load (crash)" in text
    assert text.count("E RKNN: way") == 1


def test_a_paragraph_is_as_bright_as_its_style() -> None:
    out = Terminal()
    print_paragraph(make_console(out, 80), "", "the verdict", style="bold", space=False)
    assert out.getvalue() == "\x1b[1mthe verdict\x1b[0m\n"


@pytest.mark.parametrize(
    "amount", ["38.3 kB", "1.08 ms", "965 µs", "1.00 GHz", "90.0 °C", "28.5 dB", "12.3 %"]
)
def test_no_line_ends_between_a_number_and_its_unit(amount: str) -> None:
    for width in range(20, 60):
        out = StringIO()
        print_paragraph(
            make_console(out, width), "", f"the same in all of them: size {amount} as told", style=""
        )
        assert amount in out.getvalue()


def test_a_suspect_run_is_seen() -> None:
    items = variants(5)
    items[2] = replace(items[2], run=replace(items[2].run, verdict="SUSPECT"))
    out = Terminal()
    print_push([i.run for i in items], compare_collected(items), make_console(out, 100))
    assert re.search(r"\x1b\[1;33m *SUSPECT", out.getvalue())
    out = Terminal()
    print_push([i.run for i in items[2:4]], compare_collected(items[2:4]), make_console(out, 100))
    assert re.search(r"\x1b\[1;33m *SUSPECT", out.getvalue())


def test_rows_are_sorted_the_best_first_and_the_unknown_last() -> None:
    items = variants(5)
    failed = replace(
        items[1].run, latency=None, failure=Failure("load", "crash", "it crashed"), verdict="FAILED"
    )
    items[1] = Collected(failed, items[1].latencies, ())
    found = overview([i.run for i in items], compare_collected(items), "p50")
    assert found is not None
    assert [row[0].value[26:] for row in found.rows] == [
        "-5.rknn"[1:],
        "4.rknn",
        "3.rknn",
        "1.rknn",
        "2.rknn",
    ]
    assert (found.rows[-1][-1].value, found.rows[-1][-1].tone) == ("FAILED", Tone.BAD)
    assert found.rows[-1][1].value == "12.8 MB"


def test_few_variants_have_columns_as_before() -> None:
    items = variants(4)
    assert overview([i.run for i in items], compare_collected(items)) is None
    assert any("load time" in line for line in shown(items, 140))


def test_what_nobody_can_sort_by_is_refused() -> None:
    check_sort("p50")
    check_sort("")
    with pytest.raises(UsageError, match="--sort p5: no measure"):
        check_sort("p5")


@pytest.mark.parametrize(
    ("names", "told", "short"),
    [
        (["net.rk3588.fp16.rknn", "net.rk3588.int8.rknn"], "net.rk3588.….rknn", ["fp16", "int8"]),
        (["a.fp16", "a.int8"], "", ["a.fp16", "a.int8"]),
        (["network.fp16", "network.fp16.again"], "network.…", ["fp16", "fp16.again"]),
        (["network-1", "network-2"], "", ["network-1", "network-2"]),
        (["one"], "", ["one"]),
        (["same.name", "same.name"], "", ["same.name"]),
        ([], "", []),
    ],
)
def test_what_names_share_is_folded(names: list[str], told: str, short: list[str]) -> None:
    found = folded_names(names)
    assert (found.told, list(found.short.values())) == (told, short)


def test_all_that_read_as_the_best_are_marked() -> None:
    items = variants(5)
    items = [
        collected(replace(i.run, latency=make_latency(0.00147004 + n * 1e-9)), 1_470_040)
        for n, i in enumerate(items)
    ]
    items[4] = collected(replace(items[4].run, latency=make_latency(0.00226)), 2_260_000)
    assert [("*1.47 ms" in line) for line in shown(items, 140) if line.startswith("recipe-")] == [
        True
    ] * 4 + [False]


def test_who_yields_wrong_outputs_is_the_best_of_nothing() -> None:
    items = variants(5)
    run = items[4].run
    wrong = replace(run.outputs[0], cosine_mean=-0.5)
    items[4] = replace(items[4], run=replace(run, outputs=(wrong,)))
    rows = {line.split()[0]: line for line in shown(items, 140) if line.startswith("recipe-")}
    assert ("*" in rows["recipe-5"], "*11.0" in rows["recipe-4"]) == (False, True), rows


def test_nothing_is_said_of_marks_where_all_read_alike() -> None:
    items = [collected(make_run(number, f"recipe-{number}"), 2_260_000) for number in range(1, 6)]
    assert "best of its column" not in " ".join(shown(items, 140))
