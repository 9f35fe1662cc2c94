"""Stored runs held against each other: who is matched, what differs, boards apart, runtimes that differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bench_command import run_bench
from made_runs import collected, make_run
from rkbench.results.collect import Collected
from rkbench.results.model import Failure, RunResult
from rkbench.results.output import OutputCase
from rkbench.results.side_by_side import Side, SideBySide, side_by_side
from rkbench.results.side_words import odd_sentence, runtimes_sentence, spread_sentence
from rkbench.results.verdict import verdict_sentence
from rkbench.schema import SCHEMAS
from rkbench.store import open_store
from rkbench_agent.wire.caveats import caveat
from rkbench_agent.wire.provenance import Provenance
from strict_schema import strict_validator

OLD, NEW = "01kazk00000000000000000abc", "01kazk00000000000000000xyz"


def sides(*groups: Sequence[Collected]) -> SideBySide:
    """Return these groups of runs side by side, called a, b, c."""
    named = [
        (
            Side(name, name, items[0].run.started_at, tuple(item.run.id for item in items)),
            [i.run for i in items],
        )
        for name, items in zip("abcdefgh", groups, strict=False)
    ]
    latencies = {item.run.id: item.latencies for items in groups for item in items}
    return side_by_side(named, latencies, verdict_sentence)


def run(number: int, name: str, push: str, level_ns: int = 2_260_000, **changes: Any) -> Collected:
    return collected(make_run(number, name, push=push, **changes), level_ns)


def on_board(item: Collected, name: str, **changes: Any) -> Collected:
    return replace(item, run=replace(item.run, board=replace(item.run.board, name=name, **changes)))


def test_each_variant_is_held_against_its_like() -> None:
    old = [run(1, "fp16", OLD), run(2, "int8", OLD), run(3, "gone", OLD)]
    found = sides(old, [run(1, "int8", NEW), run(2, "fp16", NEW), run(4, "new", NEW)])
    assert [(item.variant, list(item.names)) for item in found.variants] == [
        ("fp16", [f"{OLD}-01", f"{NEW}-02"]),
        ("int8", [f"{OLD}-02", f"{NEW}-01"]),
    ]
    assert found.alone == (f"{OLD}-03",)


def test_a_renamed_file_is_known_by_its_digest() -> None:
    old, new = run(1, "before", OLD), run(1, "after", NEW)
    found = sides([old, run(2, "x", OLD)], [run(2, "y", NEW), new])
    assert list(found.variants[0].names) == [f"{OLD}-01", f"{NEW}-01"]
    assert list(found.variants[0].names.values()) == ["a before", "b after"]


def test_of_several_boards_the_same_one_is_chosen() -> None:
    new = [on_board(run(1, "fp16", NEW), "shelf"), on_board(run(2, "fp16", NEW), "desk")]
    found = sides([on_board(run(1, "fp16", OLD), "desk"), run(2, "int8", OLD)], new)
    assert list(found.variants[0].names) == [f"{OLD}-01", f"{NEW}-02"]


def test_latencies_of_different_pushes_are_not_judged_and_those_of_one_are() -> None:
    (apart,) = sides([run(1, "fp16", OLD)], [run(1, "fp16", NEW, 1_000_000)]).variants
    (test,) = apart.comparison.latency_tests
    assert (test.judgement, test.reason) == ("can't tell", "they are of different pushes")
    (beside,) = sides([run(1, "fp16", OLD)], [run(2, "int8", OLD, 1_000_000)]).variants
    (test,) = beside.comparison.latency_tests
    assert (test.judgement, round(test.difference_percent or 0)) == ("faster", -56)


def test_every_condition_that_differs_is_named_once() -> None:
    new = run(1, "fp16", NEW)
    changed = replace(
        new.run,
        variant=replace(new.run.variant, sha256="f" * 64, toolkit_version="2.5.0"),
        board=replace(new.run.board, driver_version="0.9.9", agent_digest="b" * 64),
        plan=replace(new.run.plan, pin=True, golden_sha256="c" * 64),
    )
    found = sides([run(1, "fp16", OLD), run(2, "x", OLD)], [replace(new, run=changed), run(2, "x", NEW)])
    item = found.variants[0]
    assert [(c.name, c.baseline, c.value) for c in item.differing_files] == [
        ("model", "000000000000", "ffffffffffff"),
        ("toolkit", None, "2.5.0"),
    ]
    assert [c.name for c in item.conditions] == ["golden", "driver", "pinned", "agent"]
    assert found.differing[1] == "b: driver is 0.9.9, before 0.9.8"


def test_nothing_differs_between_equal_runs() -> None:
    assert sides([run(1, "fp16", OLD)], [run(1, "fp16", NEW)]).differing == []


def boards(levels: dict[str, int], runs: int = 2) -> list[Collected]:
    return [
        on_board(run(1, "fp16", f"01kazk0000000000000000{n}{place:02d}x", level + 1000 * n), name)
        for place, (name, level) in enumerate(levels.items())
        for n in range(runs)
    ]


FIVE = {"r1": 2_000_000, "r2": 2_008_000, "r3": 1_994_000, "r4": 2_120_000, "r5": 2_004_000}


def test_the_odd_board_of_five_is_named() -> None:
    (found,) = sides(boards(FIVE)).boards
    assert [item.board for item in found.boards if item.is_odd] == ["r4"]
    assert odd_sentence(found).startswith(
        "r4 (5.9 % slower) is odd: among boards like the other 4 one lies so far off by chance"
    )
    assert found.boards[0].p50_s == pytest.approx(0.0020005, rel=1e-3)
    assert spread_sentence(found).startswith("standard deviations: boards 2.58 % (")


def test_of_two_boards_none_is_odd() -> None:
    (found,) = sides(boards({"r1": 2_000_000, "r4": 2_120_000})).boards
    assert not any(item.is_odd for item in found.boards)
    assert "r4 is 6.0 % slower than r1" in odd_sentence(found)
    assert "which of two is odd nobody can tell" in odd_sentence(found)
    (single,) = sides(boards({"r1": 2_000_000, "r4": 2_120_000}, runs=1)).boards
    assert "of one run each" in odd_sentence(single)
    assert "runs of a board unknown, one run each" in spread_sentence(single)


def test_boards_of_other_socs_or_simulated_ones_are_no_group() -> None:
    one, two = run(1, "fp16", OLD), run(1, "fp16", NEW)
    assert sides([one], [on_board(two, "x", soc="rk3568")]).boards == ()
    assert sides([one], [on_board(replace(two, run=replace(two.run, simulated=True)), "x")]).boards == ()
    failed = replace(two, run=replace(two.run, failure=Failure("load", "crash", "it")))
    assert sides([one], [on_board(failed, "x")]).boards == ()


def test_what_differs_between_the_boards_is_listed() -> None:
    items = [
        on_board(item, item.run.board.name, driver_version="0.9.6") for item in boards({"r1": 2_000_000})
    ]
    (found,) = sides([*items, *boards({"x": 2_000_000, "r2": 2_000_000})[2:]]).boards
    (condition,) = found.conditions
    assert (condition.name, condition.values) == ("driver", {"r1": "0.9.6", "r2": "0.9.8"})


def outputs(item: RunResult, runtime: str, snr_db: Sequence[float | None]) -> RunResult:
    cases = tuple(OutputCase(n, 0.9, 0.1, snr_db=snr) for n, snr in enumerate(snr_db))
    output = replace(item.outputs[0], per_case=cases, snr_db=min(snr or 0 for snr in snr_db))
    source = replace(item.provenance, outputs="vendor_simulator" if runtime == "virtual" else "measured")
    assert isinstance(source, Provenance)
    return replace(
        item, plan=replace(item.plan, runtime=runtime), outputs=(output,), provenance=source,
        simulated=runtime == "virtual",
    )  # fmt: skip


def by_runtime(**snr_db: Sequence[float | None]) -> SideBySide:
    items = [
        replace(item, run=outputs(item.run, runtime, snr))
        for n, (runtime, snr) in enumerate(snr_db.items(), 1)
        for item in [collected(replace(make_run(n, "int8", push=OLD), variant=make_run().variant))]
    ]
    return sides(items)


def test_the_first_runtime_that_differs_is_named() -> None:
    (found,) = by_runtime(lite=(31.0, 6.2), capi=(31.0, 6.0), virtual=(31.0, 30.5)).runtimes
    assert [item.runtime for item in found.runtimes] == ["virtual", "capi", "lite"]
    assert found.first is not None
    assert (found.first.runtime, found.first.before, found.first.case) == ("capi", "virtual", 1)
    assert runtimes_sentence(found) == (
        "the first that differs is C API: from simulator (vendor's simulator) by at least 47.1 % of the"
        " signal (output logits, case 1)"
    )


def test_runtimes_that_round_differently_do_not_differ() -> None:
    (found,) = by_runtime(capi=(31.0, 30.0), virtual=(31.0, 30.6)).runtimes
    assert found.first is None
    assert runtimes_sentence(found).startswith("no difference in outputs of 1 % of the signal or more")


def test_outputs_of_other_goldens_are_not_set_beside_each_other() -> None:
    one, two = (collected(make_run(1, push=push)) for push in (OLD, NEW))
    other = outputs(two.run, "capi", (1.0,))
    other = replace(other, plan=replace(other.plan, golden_sha256="b" * 64))
    assert sides([one], [replace(two, run=other)]).runtimes == ()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "results.sqlite"
    with open_store(path) as opened:
        for push, day, driver in ((OLD, 19, "0.9.8"), (NEW, 26, "0.9.9")):
            for number, name in ((1, "fp16"), (2, "int8")):
                item = run(number, name, push, started_at=f"2026-11-{day}T14:00:00.000+00:00")
                opened.save(on_board(item, "desk", driver_version=driver))
    return path


def test_last_weeks_push_is_compared_with_the_last(store: Path) -> None:
    done = run_bench("compare", "last~1", "last", "--store", store)
    assert (done.returncode, done.stderr) == (0, "")
    assert "all 2: driver differs: 0.9.8 → 0.9.9" in done.stdout
    assert "of latency nothing is judged" in done.stdout
    assert done.stdout.count("latency p50") == 2


def rows_compared(tmp_path: Path, *changed: RunResult) -> str:
    """Return what is said of three variants: those of one push against `changed`, two of another."""
    with open_store(tmp_path / "s") as opened:
        for number, name in enumerate(("net.fp16", "net.int8", "net.int4"), 1):
            opened.save(run(number, name, OLD))
        for item in (*changed, make_run(3, "net.int4", push=NEW)):
            opened.save(replace(run(1, "net.int4", NEW), run=item))
    done = run_bench("compare", "last~1", "last", "--store", tmp_path / "s")
    assert done.returncode == 0, done.stderr
    return " ".join(done.stdout.split())


def test_a_row_of_what_is_not_compared_claims_no_equal_figures(tmp_path: Path) -> None:
    one, two = make_run(1, "net.fp16", push=NEW), make_run(2, "net.int8", push=NEW)
    load = replace(one.load, npu_total_bytes=99_000_000) if one.load else None
    shelf = replace(one, load=load, board=replace(one.board, name="shelf"))
    told = rows_compared(tmp_path, shelf, two)
    assert "net.fp16: last is not compared: board differs: shelf, baseline desk" in told
    assert "99.0 MB" in told
    assert "the same in all: size, p99, cosine" in told


def test_a_figure_that_is_unknown_on_one_side_has_its_column(tmp_path: Path) -> None:
    one = make_run(1, "net.fp16", push=NEW, load=None, outputs=())
    told = rows_compared(tmp_path, replace(one, simulated=False), make_run(2, "net.int8", push=NEW))
    assert "– from 14.6 MB" in told
    assert "– from 0.99999" in told


def test_a_doubted_run_is_named_with_its_doubts(tmp_path: Path) -> None:
    doubts = (caveat("drift", "it drifted"), caveat("ties", "equal latencies"))
    one = make_run(1, "net.fp16", push=NEW, verdict="SUSPECT", caveats=doubts)
    told = rows_compared(tmp_path, one, make_run(2, "net.int8", push=NEW))
    assert "net.fp16: last is SUSPECT: drift" in told


def test_what_differs_is_told_in_words(tmp_path: Path) -> None:
    with open_store(tmp_path / "s") as opened:
        for push, source, clock in ((OLD, "computed", 1_000_000_000), (NEW, "vendor_simulator", 600_000_000)):
            item = run(1, "fp16", push)
            provenance = replace(item.run.provenance, outputs=source)
            item = replace(item, run=replace(item.run, provenance=provenance))
            opened.save(on_board(item, "desk", npu_clock_hz=clock))
    words = ("compare", "last~1", "last", "--store", tmp_path / "s")
    told = " ".join(run_bench(*words).stdout.split())
    assert "source of the outputs differs: rkbench's NPU model → the vendor's simulator" in told
    assert "NPU clock differs: 1.00 GHz → 600 MHz" in told
    refused = run_bench(*words, "--strict").stderr
    assert "last: source of the outputs is the vendor's simulator, before rkbench's NPU model" in refused


def test_strict_refuses_what_differs(store: Path) -> None:
    done = run_bench("compare", "last~1", "last", "--store", store, "--strict")
    assert done.returncode == 2
    assert "driver is 0.9.9, before 0.9.8" in done.stderr
    assert done.stdout == ""
    assert run_bench("compare", "abc", "abc", "--store", store, "--strict").returncode == 0


def test_the_runs_of_one_push_are_compared_with_each_other(store: Path) -> None:
    done = run_bench("compare", "last", "--store", store, "--json", "-")
    assert [side["label"] for side in done.document["sides"]] == ["000xyz-01", "000xyz-02"]
    (item,) = done.document["variants"]
    assert item["comparison"]["latency_tests"][0]["judgement"] == "no difference"
    strict_validator(SCHEMAS / "rkbench-compare-1.schema.json").validate(done.document)


def test_one_run_has_nothing_beside_it(store: Path) -> None:
    done = run_bench("compare", "xyz-01", "--store", store)
    assert done.returncode == 2
    assert "one run, and nothing beside it" in done.stderr


def test_many_variants_have_a_row_each(tmp_path: Path) -> None:
    path = tmp_path / "many.sqlite"
    with open_store(path) as opened:
        for push in (OLD, NEW):
            for number in range(1, 13):
                item = run(number, f"net.rk3588.recipe-{number}.rknn", push)
                size = 1_000_000 + number * 1000 * (push == NEW)
                opened.save(
                    replace(item, run=replace(item.run, variant=replace(item.run.variant, size_bytes=size)))
                )
    done = run_bench("compare", OLD, NEW, "--store", path, environment={"COLUMNS": "80"})
    lines = done.stdout.splitlines()
    assert "variants net.rk3588.….rknn" in lines
    (row,) = [line for line in lines if line.startswith("recipe-12 ")]
    assert "1.01 MB +1.2 %" in row
    assert max(map(len, lines)) <= 80
    assert "the same in all: load memory, p99, cosine" in done.stdout
    assert len(lines) < 30


def test_tags_are_given_found_listed_and_taken(store: Path) -> None:
    done = run_bench("tag", "last~1", "before-driver", "--note", "driver 0.9.8", "--store", store)
    assert (done.returncode, done.stdout) == (0, "before-driver given to 000abc-01, 000abc-02\n")
    listed = run_bench("tag", "--store", store).stdout
    assert "before-driver" in listed and "driver 0.9.8" in listed
    assert "0.9.8 → 0.9.9" in run_bench("compare", "before-driver", "last", "--store", store).stdout
    assert run_bench("tag", "abc-1", "before-driver", "--remove", "--store", store).returncode == 0
    assert "000abc-01" not in run_bench("tag", "last~1", "--store", store).stdout


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("last", "means something else"), ("last~3", "is no tag"), ("night-shift", "means something else"),
        ("2026-11-26", "means something else"), ("a b", "is no tag"), ("-x", "o such option"),
        ("x" * 61, "is no tag"), ("=cmd", "is no tag"),
    ],
)  # fmt: skip
def test_what_is_no_tag_is_refused(store: Path, word: str, said: str) -> None:
    done = run_bench("tag", "last", word, "--store", store)
    assert done.returncode == 2
    assert said in done.stderr
