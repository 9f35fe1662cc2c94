"""Progress: plain lines where nobody looks, bars where somebody does."""

from __future__ import annotations

import re
from dataclasses import replace
from io import StringIO

import pytest
from made_runs import make_run
from rkbench.results.events import (
    Busy,
    Doing,
    Ended,
    Event,
    Measuring,
    Note,
    Outlook,
    Sending,
    Step,
    Waiting,
)
from rkbench.views.push.progress import Activity, BarProgress, PlainProgress, make_progress
from rkbench.views.push.progress_boards import LiveBoards, make_boards_progress
from terminal_screen import shown_lines
from view_runs import Terminal, story

EVENTS: list[Event] = [
    Step("connecting to desk"),
    Sending("a.rknn", 0, 4_000_000),
    Sending("a.rknn", 100, 4_000_000),
    Sending("a.rknn", 4_000_000, 4_000_000),
    Waiting("anna@desk (process 7)", 9.0),
    Waiting("anna@desk (process 7)", 8.0),
    Note("agent: something"),
    Busy("desk", "a", "CPUs 100 %", 0.2, 5.0),
    Busy("desk", "a", "CPUs 97 %", 0.4, 5.0),
    Doing("foretelling latencies"),
    Measuring("a", "load", 0, 7, "loads"),
    Measuring("a", "inference", 50, 100, "iterations"),
    Measuring("a", "inference", 60, 100, "iterations"),
    Measuring("a", "inference", 3.0, 3.0, "s"),
    Outlook(12.0),
    Measuring("a", "load", 1, 7, "loads"),
    Ended(story()[0][0]),
    Ended(story()[0][3]),
]


def test_plain_lines_say_each_thing_once() -> None:
    out = StringIO()
    with make_progress(out) as progress:
        for event in EVENTS:
            progress(event)
    assert out.getvalue().splitlines() == [
        "connecting to desk ...",
        "  a.rknn: sending 4.00 MB",
        "  the board is held by anna@desk (process 7); waiting",
        "  note: agent: something",
        "  a: desk is busy (CPUs 100 %), waiting at most 5 s for it to calm down",
        "  a: loading",
        "  a: inference, 100 iterations",
        "  digits.fp16: done, p50 2.26 ms (simulated)",
        "  digits.regrouped.fp16: failed in load: the worker was killed by SIGSEGV while it loaded the model",
    ]


def test_what_may_end_before_is_no_percentage() -> None:
    out = StringIO()
    with make_progress(out) as progress:
        for done in (40, 80, 120):
            progress(Measuring("a", "inference", done, 400, "blocks at most"))
    assert out.getvalue().splitlines() == ["  a: inference, 400 blocks at most"]


def many_events() -> list[Event]:
    """Return what a push of twelve tells of, the fifth of which fails."""
    runs = [make_run(number, f"recipe-{number}.rknn") for number in range(1, 13)]
    runs[4] = replace(story()[0][3], id="fifth")
    stages = [("load", 0, 9, "loads"), ("warmup", 0, 5, "iterations"), ("inference", 1, 36, "blocks")]
    return [
        Step("checking 12 models", 12),
        Step("connecting to desk"),
        *(Sending(f"{run.variant.name}.rknn", 0, 1_000_000) for run in runs),
        Step("measuring 12 variants", 12),
        *(Measuring(run.variant.name, *stage) for stage in stages for run in runs),
        Measuring("recipe-7.rknn", "cooling", 61.0, 50.0, "celsius"),
        *map(Ended, runs),
    ]


def test_many_that_go_together_are_told_as_one() -> None:
    out = StringIO()
    with make_progress(out) as progress:
        for event in many_events():
            progress(event)
    assert out.getvalue().splitlines() == [
        "checking 12 models ...",
        "connecting to desk ...",
        "measuring 12 variants ...",
        "  recipe-7.rknn: cooling, 61.0 °C, waiting for less than 50.0 °C",
        "  4 runs: done",
        "  digits.regrouped.fp16: failed in load: the worker was killed by SIGSEGV while it loaded the model",
        "  7 runs: done",
    ]


def test_of_many_a_terminal_keeps_what_went_wrong_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    out = Terminal()
    with make_progress(out) as progress:
        for event in many_events():
            progress(event)
    kept = [line for line in shown_lines(out.getvalue()) if line]
    assert kept == [
        "  digits.regrouped.fp16: failed in load: the worker was killed by SIGSEGV while it loaded the model"
    ]


def test_models_that_follow_one_another_have_a_line_each() -> None:
    out = StringIO()
    with make_progress(out) as progress:
        for event in [*many_events()[:2], Step("measuring 12 variants", 1), *map(Ended, story()[0][:2])]:
            progress(event)
    assert out.getvalue().splitlines()[2:] == [
        "measuring 12 variants ...",
        "  digits.fp16: done, p50 2.26 ms (simulated)",
        "  digits.int8: done, p50 1.43 ms (simulated)",
    ]


def test_a_terminal_gets_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    out = Terminal()
    with make_progress(out) as progress:
        assert isinstance(progress, BarProgress)
        for event in EVENTS:
            progress(event)
    assert "connecting to desk ..." in out.getvalue()
    assert "about 12 s left · digits.regrouped.fp16 is stored" in out.getvalue()
    assert "failed in load" in out.getvalue()


@pytest.mark.parametrize(
    ("event", "word"),
    [
        (Step("connecting to desk"), "connecting to desk"),
        (Doing("comparing 12 runs"), "comparing 12 runs"),
        (Sending("a.rknn", 1_000_000, 4_000_000), "sending a.rknn, 1.00 MB of 4.00 MB"),
        (Waiting("anna@desk", 9.0), "the board is held by anna@desk, waiting"),
        (Waiting("anna@desk", 9.0, 1, 1), "the board is held by anna@desk, waiting"),
        (Waiting("anna@desk", 9.0, 2, 3), "the board is held by anna@desk, waiting, 2 of 3 who wait"),
        (Busy("desk", "a", "CPUs 100 %", 0.0, 5.0), "desk is busy (CPUs 100 %), waiting"),
        (
            Measuring("a", "cooling", 61.0, 50.0, "celsius", "soc-thermal"),
            "a: cooling, soc-thermal at 61.0 °C, waiting for less than 50.0 °C",
        ),
        (Measuring("a", "load", 2, 7, "loads"), "a: loading, load 3 of 7"),
        (Measuring("a", "warmup", 0, 10, "iterations"), "a: warming up, 0 of 10 iterations"),
        (Measuring("a", "inference", 3.0, 28.0, "blocks"), "a: inference, 3 of 28 blocks"),
        (Ended(story()[0][0]), "digits.fp16 is stored"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_each_second_of_whatever_goes_on_has_a_word(event: Event, word: str) -> None:
    """A clock that is moved by hand: nothing is told meanwhile, and the line still says what and how long."""
    now = [100.0]
    activity = Activity(lambda: now[0])
    activity.take(event)
    said = []
    for _ in range(4):
        said.append(activity.line())
        now[0] += 1.0
    first = f"{word} 0 s" if word.endswith("waiting") else word
    comma = "" if word.endswith("waiting") else ","
    assert said == [first, *(f"{word}{comma} {second} s" for second in (1, 2, 3))]


def test_the_figures_of_a_busy_board_change_and_the_wait_goes_on() -> None:
    now = [0.0]
    activity = Activity(lambda: now[0])
    for second in range(4):
        now[0] = float(second)
        activity.take(Busy("desk", "a", f"CPUs {90 + second} %", now[0], 5.0))
    assert activity.line() == "desk is busy (CPUs 93 %), waiting 3 s"


def test_the_time_left_goes_down_between_two_words_of_it() -> None:
    now = [0.0]
    activity = Activity(lambda: now[0])
    activity.take(Step("measuring 2 variants"))
    activity.take(Outlook(20.0, at_most=True))
    said = []
    for now[0] in (0.0, 5.0, 22.0, 30.0):
        said.append(activity.line())
    assert said == [
        "at most 20 s left · measuring 2 variants",
        "at most 15 s left · measuring 2 variants, 5 s",
        "a moment left · measuring 2 variants, 22 s",
        "longer than foretold · measuring 2 variants, 30 s",
    ]


def test_a_transfer_that_is_resumed_begins_where_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    out = Terminal()
    with make_progress(out) as progress:
        progress(Sending("a.rknn", 3_000_000, 4_000_000))
    shown = {int(share) for share in re.findall(r"(\d+)%", out.getvalue())}
    assert shown == {75}


def test_a_note_that_is_wrapped_stays_indented(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "40")
    out = Terminal()
    with make_progress(out) as progress:
        progress(Note("nothing is changed by it: a shorter push is made otherwise"))
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue())
    shown = [line for line in plain.splitlines() if "nothing" in line or "otherwise" in line]
    assert [line[:3] for line in shown] == ["  n", "  s"]


def test_a_dumb_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(make_progress(Terminal()), PlainProgress)


def test_each_board_of_several_has_a_row_that_is_true_at_any_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    now = [0.0]
    boards = LiveBoards(Terminal(), lambda: now[0])
    boards("desk", Step("connecting to desk"))
    boards("shelf", Busy("shelf", "a", "CPUs 100 %", 0.0, 5.0))
    now[0] = 3.0
    assert boards.rows() == [
        ("desk", "connecting to desk, 3 s"),
        ("shelf", "shelf is busy (CPUs 100 %), waiting 3 s"),
    ]
    boards("desk", Doing(""))
    assert [board for board, _ in boards.rows()] == ["shelf"]


def test_lines_of_several_boards_begin_with_their_names() -> None:
    out = StringIO()
    with make_boards_progress(out) as progress:
        for board in ("desk", "shelf"):
            progress(board, Step("checking 1 model"))
            progress(board, Measuring("a", "inference", 1, 28, "blocks"))
    assert out.getvalue().splitlines() == [
        "desk: checking 1 model ...",
        "desk: a: inference, 28 blocks",
        "shelf: checking 1 model ...",
        "shelf: a: inference, 28 blocks",
    ]
