"""Stored runs as a page, Markdown, pictures and a trace: numbers as in the JSON, and no name acts."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from made_runs import make_latency, make_run
from rkbench.campaign import compare_collected
from rkbench.errors import BenchError, UsageError
from rkbench.results.collect import Collected
from rkbench.results.comparison import Comparison
from rkbench.results.extras import Requirement
from rkbench.results.latencies import RawLatencies
from rkbench.results.loads import Load, LoadPhase
from rkbench.results.model import RunResult
from rkbench.results.offline import Offline, OfflineRate, Saturation
from rkbench.results.output import Output, OutputCase, PartFigures
from rkbench.results.server import Server, ServerTry
from rkbench.stats.gates import FAIL
from rkbench.views.push.table import table_rows
from rkbench.views.report.charts import charts_of
from rkbench.views.report.charts.spec import DARK, LIGHT, coloured
from rkbench.views.report.content import content_of
from rkbench.views.report.files import check_page, check_report, write_report
from rkbench.views.report.markdown import render_report_markdown
from rkbench.views.report.names import named
from rkbench.views.report.page import render_page
from rkbench.views.report.trace import render_trace
from rkbench_agent.wire.board import Reading
from rkbench_agent.wire.caveats import Caveat
from rkbench_agent.wire.messages import Latencies
from test_inspect_html import Page, dump_dom

MS = 1_000_000
HOSTILE = '<img src=x onerror=alert(1)>|"x" `y` </script>'


def latencies(level_ms: float) -> RawLatencies:
    """Return two loads of four blocks, in turns with others, of calls around a level."""
    raw = RawLatencies()
    for block in range(8):
        start = (block * 3000 + int(block >= 4) * 20_000) * MS
        durations = [int((level_ms + 0.01 * ((7 * call + block) % 11)) * MS) for call in range(20)]
        starts = [start + call * 30 * MS for call in range(20)]
        raw.append(Latencies("r", block, False, starts, durations, load=block // 4, unread=3))
    return raw


def readings() -> tuple[Reading, ...]:
    return tuple(
        Reading(second * 1000 * MS, [0.5, 0.0, 0.0], 1_000_000_000 - 4e8 * (second > 30), None, 528_000_000,
                temperature_celsius={"soc": 50.0 + second / 2}, cpu_load_ratio=0.2)
        for second in range(45)
    )  # fmt: skip


def report_of(*names: str, **changes: Any) -> tuple[list[Collected], Comparison]:
    """Return runs of these names, with phases of their load and two outputs, and their comparison."""
    phases = (
        LoadPhase("before", 0.1, 9_000_000),
        LoadPhase("steady", 0.2, 24_000_000, npu_total_bytes=14_000_000),
    )
    cases = tuple(OutputCase(case, 0.999, 0.1, 0.01, 1e-4, 30.0 + case % 9, True) for case in range(12))
    parts = PartFigures(0, snr_db=(20.0, None, 31.5, 12.0))
    output = Output(
        0, "scores", (1, 4), "float32", 12, 0.999, 0.9995, 0.1, snr_db=30.0, per_case=cases, parts=parts
    )
    items = [
        Collected(
            make_run(number, name, load=Load(0.1, 15_000_000, phases=phases), outputs=(output,), **changes),
            latencies(2 + 0.2 * number),
            readings(),
        )
        for number, name in enumerate(names, 1)
    ]
    return items, compare_collected(items)


def specs(charts: Any) -> Iterator[dict[str, Any]]:
    """Yield every part of drawings that has encodings of its own."""
    for chart in charts:
        waiting = [chart.wide, chart.narrow]
        while waiting:
            part = waiting.pop()
            waiting += [*part.get("vconcat", ()), *part.get("layer", ())]
            if "encoding" in part:
                yield part


def test_every_figure_of_the_table_stands_in_the_page() -> None:
    items, comparison = report_of("fp16", "int8")
    page = unescape(re.sub(r"\s+", " ", render_page(items, comparison)))
    runs = [item.run for item in items]
    rows = table_rows(runs, comparison, {})
    assert len(rows) > 10
    for row in rows:
        assert f">{row.label}</th>" in page
        for cell in row.cells:
            assert f">{cell.value}" in page, row.label
    assert comparison.verdict in page
    assert "digits" not in page


def test_a_doubt_says_whose_it_is() -> None:
    items, _ = report_of("fp16", "int8", "int16")
    ties, drift = Caveat("ties", "equal latencies"), Caveat("drift", "it drifted")
    told = ((ties,), (ties, drift), (ties, drift))
    runs = [
        replace(item, run=replace(item.run, caveats=found)) for item, found in zip(items, told, strict=True)
    ]
    page = unescape(re.sub(r"<[^>]+>", "", render_page(runs, compare_collected(runs))))
    assert "all 3: equal latencies" in page
    assert "int8, int16: it drifted" in page
    alone = render_page(runs[:1], compare_collected(runs[:1]))
    assert "all 1" not in alone


def test_the_page_needs_nothing_from_elsewhere() -> None:
    text = render_page(*report_of("fp16", "int8"))
    outside = text.replace("http://www.w3.org/", "")
    assert "http" not in outside.replace("http-equiv", "")
    assert [attributes for _, attributes in Page(text).elements if {"src", "href"} & set(attributes)] == []
    assert "default-src 'none'" in text


def test_the_page_carries_the_results_and_every_latency() -> None:
    items, comparison = report_of("fp16", "int8")
    page = Page(render_page(items, comparison))
    document = json.loads(page.text["document"])
    assert [run["variant"]["name"] for run in document["runs"]] == ["fp16", "int8"]
    rows = list(
        csv.DictReader(io.StringIO(gzip.decompress(base64.b64decode(page.text["latencies"])).decode()))
    )
    told = [int(row["duration_ns"]) for row in rows if row["variant"] == "int8"]
    assert told == list(items[1].latencies.duration_ns)


@pytest.mark.parametrize("name", [HOSTILE, "=cmd|' /C calc'!A0", "x" * 200, "\x1b[31mred\u202e"])
def test_nothing_of_a_name_acts(name: str) -> None:
    items, comparison = report_of(name, "int8")
    text = render_page(items, comparison)
    tags = [tag for tag, _ in Page(text).elements]
    assert "img" not in tags
    assert tags.count("script") == 3
    assert not any(key.startswith("on") for _, attributes in Page(text).elements for key in attributes)
    assert "\x1b" not in text
    assert "\u202e" not in text
    markdown = render_report_markdown(items, comparison)
    lines = [line.replace("\\|", "") for line in markdown.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in lines[:4]} == {lines[0].count("|")}
    assert "<img" not in markdown.replace("\\<", "")
    assert "\x1b" not in markdown


def test_every_axis_has_a_title_with_its_unit() -> None:
    items, _ = report_of("fp16", "int8", simulated=True)
    seen = 0
    for part in specs(charts_of(named(items))):
        for axis in ("x", "y"):
            encoding = part["encoding"].get(axis)
            if encoding and encoding["type"] == "quantitative" and encoding["title"] is not None:
                seen += 1
                assert re.search(
                    r"\((µs|ms|s|kB|MB|MHz|°C|%|dB|1/s|.*dB.*|channel)\)|share|contexts", encoding["title"]
                )
    assert seen > 20


def test_simulated_numbers_have_their_mark_on_the_axes() -> None:
    items, comparison = report_of("fp16", "int8", simulated=True)
    titles = [
        part["encoding"]["y"]["title"] for part in specs(charts_of(named(items))) if "y" in part["encoding"]
    ]
    latencies_told = [title for title in titles if title and "latency" in title]
    assert latencies_told and all(title.startswith("≈") for title in latencies_told)
    assert "simulated on board" in render_page(items, comparison)


def test_the_drawings_are_of_all_that_was_measured() -> None:
    items, _ = report_of("fp16", "int8")
    keys = [chart.key for chart in charts_of(named(items))]
    assert keys == ["tradeoff", "ecdf", "histogram", "timeline", "memory", "cases", "parts-scores"]


def colours_of(part: dict[str, Any]) -> dict[str, str]:
    scale = part["encoding"]["color"]["scale"]
    return dict(zip(scale["domain"], scale["range"], strict=True))


def test_a_variant_has_one_colour_in_all_drawings_of_several_pushes() -> None:
    first, _ = report_of("fp16", "int8")
    second = [
        replace(
            item, run=replace(item.run, id=f"01k-{place}", push="01k", started_at="2026-11-24T14:00:00+00:00")
        )
        for place, item in enumerate(first)
    ]
    items = [*first, *second, *report_of("late", push="01m")[0]]
    items[1] = replace(items[1], latencies=RawLatencies())
    charts = charts_of(named(items))
    assert sum(chart.key.startswith("timeline") for chart in charts) == 3
    found: dict[str, set[str]] = {}
    for part in specs(charts):
        if part["encoding"].get("color", {}).get("field") == "series":
            for name, colour in colours_of(part).items():
                found.setdefault(name, set()).add(colour)
    assert {name: len(colours) for name, colours in found.items()} == dict.fromkeys(
        [item.name for item in named(items)], 1
    )
    assert len(set.union(*found.values())) == 5


def test_what_misses_a_requirement_beats_nobody() -> None:
    items, _ = report_of("fp16", "int8", "int4")
    crossed = (Requirement("cosine >= 0.999", "cosine", "", FAIL),)
    sizes = (30_000, 20_000, 10_000)
    items = [
        replace(
            item,
            run=replace(
                item.run,
                variant=replace(item.run.variant, size_bytes=size),
                latency=make_latency(size / 1e7),
                requirements=crossed if size == 10_000 else (),
            ),
        )
        for item, size in zip(items, sizes, strict=True)
    ]
    (chart,) = [chart for chart in charts_of(named(items)) if chart.key == "tradeoff"]
    front = chart.wide["layer"][0]["data"]["values"]
    assert [(row["series"], row["size"]) for row in front] == [("int8", 20.0)]
    assert chart.wide["layer"][0]["encoding"]["x"]["title"] == "file size (kB)"
    assert "no other beats int8." in chart.note
    assert "the line joins" not in chart.note


def test_of_many_pushes_the_first_are_drawn_over_time_and_the_others_are_told() -> None:
    items = [item for number in range(20) for item in report_of("fp16", push=f"01k{number:02d}")[0]]
    charts = [chart for chart in charts_of(named(items)) if chart.key.startswith("timeline")]
    assert len(charts) == 16
    assert charts[-1].note.endswith("4 pushes more have none here: bench report RUN draws each.")


def test_a_temperature_that_never_changes_is_no_label_of_the_axis() -> None:
    items, _ = report_of("fp16")
    steady = tuple(replace(sample, temperature_celsius={"soc": 45.3}) for sample in readings())
    (chart,) = [c for c in charts_of(named([replace(items[0], readings=steady)])) if c.key == "timeline"]
    _, _, _, heat, _ = chart.wide["vconcat"]
    assert heat["encoding"]["y"]["scale"] == {"domain": [44.3, 46.3]}


def test_no_line_of_a_sentence_ends_between_a_number_and_its_unit() -> None:
    items, comparison = report_of("fp16", "int8")
    (head,) = re.findall(
        r"<h1>(.*?)</h1>", render_page(items, replace(comparison, verdict="12.5 % and 3.0 MB"))
    )
    assert head == "12.5\u00a0% and 3.0\u00a0MB"


def test_blocks_and_loads_stand_where_they_were_measured() -> None:
    items, _ = report_of("fp16")
    (chart,) = [chart for chart in charts_of(named(items)) if chart.key == "timeline"]
    turns, blocks, *sensors = chart.wide["vconcat"]
    assert [row["from"] for row in turns["data"]["values"]] == pytest.approx(
        [block * 3.0 + 20 * (block >= 4) for block in range(8)], abs=0.1
    )
    begun, _, points = blocks["layer"]
    assert [row["at"] for row in begun["data"]["values"]] == pytest.approx([32.0 - 0.09], abs=0.1)
    assert [row["mid"] for row in points["data"]["values"]] == pytest.approx([2.25] * 8, abs=0.02)
    assert [part["encoding"]["y"]["title"] for part in sensors] == ["clock (MHz)", "temp. (°C)", "load (%)"]
    assert {row["value"] for row in sensors[0]["data"]["values"]} == {1000, 600, 528}


def test_a_distribution_is_that_of_the_calls_that_count() -> None:
    items, _ = report_of("fp16")
    (shares,) = [chart.wide for chart in charts_of(named(items)) if chart.key == "ecdf"]
    rows = shares["data"]["values"]
    counted = sorted(item for block in items[0].latencies.timed_arrays() for item in block.tolist())
    half = next(row for row in rows if row["share"] >= 0.5)
    assert len(counted) == 8 * 17
    assert half["latency"] == pytest.approx(counted[len(counted) // 2] / MS, rel=0.01)


def scenario(run: RunResult) -> RunResult:
    rates = tuple(OfflineRate("auto", n, 100, 100.0 * n, 99.0 * n, 101.0 * n, 0.01, None) for n in (1, 2, 3))
    tries = (
        ServerTry(None, 100.0, 900, 0.01, 0.01, 0.01, 0.02),
        ServerTry(50.0, 50.0, 900, 0.01, 0.02, 0.03, 0.05),
    )
    offline = Offline(rates, Saturation("auto", 3, 300.0, False), shares_weights=True)
    return replace(run, offline=offline, server=Server(tries, "p99 <= 25ms", None, 50.0))


def test_scenarios_are_drawn_with_their_limit() -> None:
    items, _ = report_of("fp16")
    items = [replace(items[0], run=scenario(items[0].run))]
    found = {chart.key: chart.wide for chart in charts_of(named(items))}
    assert [row["rate"] for row in found["offline-fp16"]["data"]["values"]] == [100, 200, 300]
    assert found["server-fp16"]["layer"][1]["data"]["values"] == [{"latency": 25.0}]


def test_runs_of_one_variant_are_told_apart() -> None:
    items, _ = report_of("fp16", "fp16", "int8")
    other = replace(items[1].run.board, name="second")
    items[1] = replace(items[1], run=replace(items[1].run, board=other))
    assert [item.name for item in named(items)] == ["fp16 · desk", "fp16 · second", "int8"]
    assert len({item.name for item in named([items[0], items[0], items[2]])}) == 2


def test_runs_of_two_weeks_are_called_once_by_their_cores_and_both_days_are_said() -> None:
    items, _ = report_of("fp16", "int8")
    later = replace(
        items[0].run,
        id="1qmv0w0v2-01",
        push="1qmv0w0v2",
        started_at="2026-11-27T12:00:00+00:00",
        plan=replace(items[0].run.plan, core_mask="all"),
    )
    both = [items[0], replace(items[0], run=later)]
    content = content_of(both, compare_collected(both))
    assert not any(", cores" in note for note in content.notes), content.notes
    assert any(fact.endswith(" to 2026-11-27 12:00 UTC") for fact in content.facts)
    one = content_of(items, compare_collected(items))
    assert not any(" to " in fact for fact in one.facts if fact.startswith("measured"))


def test_the_legend_of_points_has_their_signs() -> None:
    items, _ = report_of("fp16", "int8")
    (chart,) = [chart for chart in charts_of(named(items)) if chart.key == "parts-scores"]
    legend = chart.wide["layer"][1]["encoding"]["color"]["legend"]
    assert "symbolType" not in legend, "a point has no stroke to show"


def test_colours_of_both_palettes_are_those_of_the_page() -> None:
    items, _ = report_of("fp16", "int8")
    text = render_page(items, compare_collected(items))
    for palette in (LIGHT, DARK):
        assert f"--s1: {palette['s1']};" in text
        drawn = json.dumps([coloured(chart.wide, palette) for chart in charts_of(named(items))])
        assert "var(--" not in drawn


def test_without_vl_convert_the_page_comes_and_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    items, comparison = report_of("fp16", "int8")
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    text = render_page(items, comparison)
    assert "<svg" not in text
    assert "7 drawings need vl-convert: pip install" in text
    assert comparison.verdict in text


def test_a_picture_without_vl_convert_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    items, comparison = report_of("fp16", "int8")
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(UsageError, match="vl-convert, which is not installed") as refused:
        write_report(items, comparison, tmp_path / "r.png")
    assert "rkbench[report]" in (refused.value.hint or "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("kind", "begins"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<svg")])
def test_pictures_are_of_their_kind(kind: str, begins: bytes, tmp_path: Path) -> None:
    items, comparison = report_of("fp16", "int8")
    file = tmp_path / f"r.{kind}"
    write_report(items, comparison, file)
    assert file.read_bytes().startswith(begins)
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_a_report_without_latencies_says_what_it_can(tmp_path: Path) -> None:
    items, _ = report_of("fp16")
    bare = [Collected(replace(items[0].run, latency=None, load=None, outputs=()), RawLatencies(), ())]
    comparison = compare_collected(bare)
    assert "<svg" not in render_page(bare, comparison)
    with pytest.raises(UsageError, match="nothing to draw"):
        write_report(bare, comparison, tmp_path / "r.png")


@pytest.mark.parametrize(
    ("output", "said"),
    [("r.txt", "no kind of report"), ("nowhere/r.html", "no folder"), ("", "a folder"), (None, "no file")],
)
def test_a_file_that_cannot_be_is_named_before_anything_is_read(
    output: str | None, said: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=said):
        check_report(None if output is None else tmp_path / output, None)
    if output:
        with pytest.raises(UsageError, match=r"no page|no folder"):
            check_page(tmp_path / output)


def test_a_full_disk_takes_the_page_and_leaves_the_trace(tmp_path: Path) -> None:
    items, comparison = report_of("fp16")
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    full = tmp_path / "full.md"
    full.symlink_to("/dev/full")
    with pytest.raises(BenchError, match="No space left"):
        write_report(items, comparison, full, tmp_path / "t.json")
    assert json.loads((tmp_path / "t.json").read_text())["traceEvents"]


def test_a_trace_holds_every_call_and_the_sensors() -> None:
    items, _ = report_of("fp16", "int8", simulated=True)
    trace = json.loads(render_trace(items))
    events = trace["traceEvents"]
    calls = [item for item in events if item["ph"] == "X" and item["pid"] == 1 and item["tid"] == 2]
    assert [item["dur"] for item in calls] == pytest.approx(
        [ns / 1000 for ns in items[0].latencies.duration_ns]
    )
    assert [item["name"] for item in calls[:4]] == ["call, not counted"] * 3 + ["call"]
    blocks = [item for item in events if item["ph"] == "X" and item["pid"] == 2 and item["tid"] == 1]
    assert [item["name"] for item in blocks][3:5] == ["load 0, block 3", "load 1, block 4"]
    clocks = [item["args"] for item in events if item["ph"] == "C" and item["name"] == "clock (MHz)"]
    assert clocks[-1] == {"NPU": 600.0, "DDR": 528.0}
    names = [item["args"]["name"] for item in events if item["ph"] == "M" and item["name"] == "process_name"]
    assert names == ["≈ simulated: fp16", "≈ simulated: int8", "board desk"]
    assert trace["otherData"]["simulated"] is True


def test_pushes_of_boards_with_other_clocks_begin_together_in_a_trace() -> None:
    items, _ = report_of("net", "net")
    run, raw = items[1].run, RawLatencies()
    days_ns = 9 * 86_400 * 10**9
    raw.append(Latencies("r", 0, False, [days_ns], [2 * MS]))
    sample = Reading(days_ns + MS, [0.5], 1_000_000_000, None, None, temperature_celsius={"soc": 40.0})
    shelf = replace(run, id="p2-01", push="p2", board=replace(run.board, name="shelf"))
    items[1] = replace(items[1], run=shelf, latencies=raw, readings=(sample,))
    events = json.loads(render_trace(items))["traceEvents"]
    assert [item["ts"] for item in events if item["ph"] == "X" and item["pid"] == 2] == [0, 0]
    named_pids = {item["args"]["name"]: item["pid"] for item in events if item.get("name") == "process_name"}
    assert [named_pids["board desk"], named_pids["board shelf"]] == [0, 3]
    assert {item["ts"] for item in events if item["ph"] == "C" and item["pid"] == 3} == {1000.0}


def test_markdown_has_the_sentence_first_and_the_rest_folded() -> None:
    items, comparison = report_of("fp16", "int8")
    text = render_report_markdown(items, comparison)
    above, folded = text.split("<details>", 1)
    assert above.splitlines()[0].startswith("### ")
    assert "| fp16 (baseline) |" in above
    assert len(above.splitlines()) < 12
    assert items[0].run.variant.sha256 in folded
    assert content_of(items, comparison).title.split(":")[0][:20].replace("_", "\\_") in above


@pytest.mark.xdist_group("chromium")
@pytest.mark.timeout(200)
def test_the_browser_shows_one_width_and_offers_the_data(tmp_path: Path) -> None:
    items, comparison = report_of(HOSTILE, "int8")
    file = tmp_path / "page.html"
    file.write_text(render_page(items, comparison), encoding="utf-8")
    page = Page(dump_dom(file, tmp_path))
    assert [tag for tag, _ in page.elements].count("button") == 2
    assert "Save every latency (CSV)" in page.text["save"]
    drawn = [attributes for tag, attributes in page.elements if attributes.get("class") == "chart"]
    assert len(drawn) == 2 * 7
    assert all(attributes["aria-label"] for attributes in drawn)


def test_many_are_called_by_short_names_in_sentences_too() -> None:
    items, comparison = report_of(*(f"mobilenetv2.rk3588.recipe-{number}.rknn" for number in range(1, 6)))
    content = content_of(items, comparison)
    assert content.overview is not None
    assert "mobilenetv2" not in content.title + content.overview.told + " ".join(content.notes)
    assert "variants mobilenetv2.rk3588.….rknn" in " ".join(content.facts)


def test_runs_of_several_boards_say_how_far_these_lie_apart() -> None:
    items, _ = report_of("net", "net")
    other = replace(
        items[1].run, board=replace(items[1].run.board, name="shelf"), push="other", id="other-01"
    )
    sha256 = items[0].run.variant.sha256
    items[1] = replace(items[1], run=replace(other, variant=replace(other.variant, sha256=sha256)))
    comparison = compare_collected(items)
    (told,) = content_of(items, comparison).across
    assert told.title == "net on 2 boards (rk3588, lite, cores auto)"
    assert [row[0].value for row in told.rows] == ["desk", "shelf"]
    page, text = render_page(items, comparison), render_report_markdown(items, comparison)
    assert told.verdict in unescape(page).replace("\u00a0", " ")
    assert "<summary>net on 2 boards" in text
    assert "net · shelf is not compared: board differs: shelf, baseline desk" in unescape(page)


def test_colours_that_come_again_have_another_shape_and_dash() -> None:
    items, _ = report_of(*(f"net-{number}" for number in range(1, 11)))
    charts = {chart.key: json.dumps(chart.wide) for chart in charts_of(named(items))}
    ten = [*["circle"] * 8, *["square"] * 2]
    assert json.dumps(ten) in charts["tradeoff"]
    assert json.dumps(ten) in next(text for key, text in charts.items() if key.startswith("timeline"))
    assert json.dumps([*[[1, 0]] * 8, *[[6, 3]] * 2]) in charts["memory"]
