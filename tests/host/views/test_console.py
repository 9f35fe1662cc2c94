"""The push on a terminal, letter for letter (`*.txt` beside this file), and at any width."""

from __future__ import annotations

import re
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from made_runs import collected
from rkbench.campaign import compare_collected
from rkbench.results.collect import Collected
from rkbench.results.history import HistoryRow, history_row
from rkbench.results.latencies import RawLatencies
from rkbench.results.model import Failure
from rkbench.units import format_seconds
from rkbench.views.history import show_history
from rkbench.views.push.console import print_push
from rkbench.views.push.console_table import split_name
from rkbench.views.push.table import difference_text
from rkbench.views.terminal import make_console
from rkbench_agent.wire.caveats import Caveat
from view_runs import Terminal, story

HERE = Path(__file__).parent


def shown(width: int, simulated: bool = True, out: StringIO | None = None) -> str:
    runs, comparison = story(simulated)
    out = out or StringIO()
    print_push(runs, comparison, make_console(out, width))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def rows(*numbers: int) -> list[HistoryRow]:
    """Return the rows of runs of the story, by their places in it."""
    return [history_row(story()[0][number]) for number in numbers]


@pytest.mark.parametrize(
    ("name", "width", "simulated"),
    [("push_100", 100, True), ("push_80", 80, True), ("push_80_board", 80, False), ("push_60", 60, True)],
)
def test_the_view_is_as_drawn(name: str, width: int, simulated: bool) -> None:
    assert shown(width, simulated) == (HERE / f"{name}.txt").read_text()


@pytest.mark.parametrize("width", [50, 60, 72, 80, 100, 120, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert max(map(len, shown(width).splitlines())) <= width


def test_every_simulated_number_is_marked() -> None:
    """In the table all numbers of a simulated run but the file size, which is the file's own."""
    table = shown(100).split("\n\n", 1)[1].split("\nverdict")[0]
    for line in table.splitlines():
        label, cells = line[:14], line[14:]
        if label.startswith(("load", "NPU", "process", "latency p", "through", "lowest", "max", "top")):
            values = re.findall(r"(?<![-+\d.])[≈]?\d[\d.]*(?= (?:ms|MB|kB|/s)| *$| +[-+≈\d])", cells)
            assert [value for value in values if not value.startswith("≈") and "." in value] == []
    assert shown(100).count("≈") == 82
    assert "≈" not in shown(100, simulated=False)


def test_colours_are_left_out_where_nobody_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[" in shown(100, out=Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in shown(100, out=Terminal())


def test_what_others_wrote_is_no_markup() -> None:
    assert "[bold]invalid[/bold]" in shown(100)


@pytest.mark.parametrize(
    ("name", "width", "lines"),
    [
        ("digits.regrouped.fp16", 17, ["digits.regrouped.", "fp16"]),
        ("short", 9, ["short"]),
        ("averyveryverylongname", 9, ["averyvery", "verylongn", "ame"]),
        ("a_b-c/d", 4, ["a_b-", "c/d"]),
    ],
)
def test_long_names_break_where_they_can(name: str, width: int, lines: list[str]) -> None:
    assert split_name(name, width) == lines


@pytest.mark.parametrize(
    ("percent", "text"),
    [(None, ""), (0.0, "+0.0 %"), (-0.04, "+0.0 %"), (-12.34, "-12.3 %"), (123.4, "+123 %"), (1900.0, "20×")],
)
def test_differences_are_short(percent: float | None, text: str) -> None:
    assert difference_text(percent) == text


def test_a_narrow_history_breaks_names_where_their_words_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = StringIO()
    show_history(rows(3), out)
    assert [line.rstrip() for line in out.getvalue().splitlines()][:3] == [
        "run           started (UTC)     board  variant            size  p50  verdict",
        "1qmv0w0v1-04  2026-11-23 14:00  desk   digits.         2.01 MB    –  FAILED load",
        "                                       regrouped.fp16",
    ]


def test_the_history_is_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    out = StringIO()
    show_history(rows(0, 3), out)
    assert [line.rstrip() for line in out.getvalue().splitlines()] == [
        "run           started (UTC)     board  variant                   size       p50  verdict",
        "1qmv0w0v1-01  2026-11-23 14:00  desk   digits.fp16            14.6 MB  ≈2.26 ms  ≈SUSPECT",
        "1qmv0w0v1-04  2026-11-23 14:00  desk   digits.regrouped.fp16  2.01 MB         –  FAILED load",
        "≈ simulated by a virtual board",
    ]


def test_a_stopped_run_of_a_virtual_board_is_marked_too() -> None:
    (row,) = rows(0)
    out = StringIO()
    show_history([replace(row, verdict="STOPPED", failed_stage="connection")], out)
    assert "≈STOPPED" in out.getvalue()
    runs, comparison = story()
    stopped = replace(runs[0], verdict="STOPPED", failure=Failure("connection", "interrupted", "by Ctrl-C"))
    told = StringIO()
    print_push([stopped, *runs[1:]], comparison, make_console(told, 100))
    assert "≈STOPPED" in told.getvalue()


def test_a_file_beside_itself_is_sent_once() -> None:
    first, second = (replace(run, simulated=False) for run in story()[0][:2])
    again = replace(second, variant=replace(first.variant, name=f"{first.variant.name} again"))
    comparison = compare_collected([collected(first), collected(again)])
    out = StringIO()
    print_push([first, again], comparison, make_console(out, 100))
    (sent,) = [line for line in out.getvalue().splitlines() if line.startswith("sent")]
    assert sent.startswith("sent   14.6 MB of models")


def test_an_empty_history_says_what_to_do() -> None:
    out = StringIO()
    show_history([], out)
    assert out.getvalue() == "no runs stored yet: bench push MODEL.rknn --board virtual\n"


def test_the_npus_own_time_has_a_row_where_it_is_known() -> None:
    runs, _ = story(simulated=False)
    assert "NPU's own p50" not in shown(100, simulated=False)
    latency = runs[0].latency
    assert latency is not None
    stages = replace(latency.stages, device=replace(latency, p50_s=0.0017))
    runs = [replace(runs[0], latency=replace(latency, stages=stages)), *runs[1:]]
    out = StringIO()
    print_push(
        runs, compare_collected([Collected(run, RawLatencies(), ()) for run in runs]), make_console(out, 100)
    )
    line = next(line for line in out.getvalue().splitlines() if line.startswith("NPU's own p50"))
    assert line.split()[3:5] == ["1.70", "ms"]


def test_no_time_at_all_is_not_told_in_nanoseconds() -> None:
    assert (format_seconds(0.0), format_seconds(8.5e-7)) == ("0 s", "850 ns")


def test_a_caveat_without_advice_points_nowhere() -> None:
    runs, _ = story(simulated=False)
    bare = replace(runs[0], caveats=(Caveat("sensors", "sensors: none", ""),))
    out = StringIO()
    print_push([bare], compare_collected([Collected(bare, RawLatencies(), ())]), make_console(out, 100))
    assert "  sensors: none\n" in out.getvalue()
