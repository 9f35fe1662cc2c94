"""Progress: plain lines where nobody looks, bars where somebody does."""

from __future__ import annotations

import re
from io import StringIO

import pytest
from rkbench.results.events import Ended, Event, Measuring, Note, Sending, Step, Waiting
from rkbench.views.push.progress import BarProgress, PlainProgress, make_progress
from view_runs import Terminal, story

EVENTS: list[Event] = [
    Step("connecting to desk"),
    Sending("a.rknn", 0, 4_000_000),
    Sending("a.rknn", 100, 4_000_000),
    Sending("a.rknn", 4_000_000, 4_000_000),
    Waiting("anna@desk (process 7)", 9.0),
    Waiting("anna@desk (process 7)", 8.0),
    Note("agent: something"),
    Measuring("a", "inference", 50, 100, "iterations"),
    Measuring("a", "inference", 60, 100, "iterations"),
    Measuring("a", "inference", 3.0, 3.0, "s"),
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
        "  a.rknn: sending 4.00 MB, 0 %",
        "  a.rknn: sending 4.00 MB, 100 %",
        "  the board is held by anna@desk (process 7); waiting",
        "  note: agent: something",
        "  a: inference 50 %",
        "  a: inference 100 %",
        "  digits.fp16: done, p50 2.26 ms (simulated)",
        "  digits.regrouped.fp16: failed in load: the worker was killed by SIGSEGV while it loaded the model",
    ]


def test_what_may_end_before_is_no_percentage() -> None:
    out = StringIO()
    with make_progress(out) as progress:
        for done in (40, 80, 120):
            progress(Measuring("a", "inference", done, 400, "blocks at most"))
    assert out.getvalue().splitlines() == ["  a: inference, 400 blocks at most"]


def test_a_terminal_gets_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    out = Terminal()
    with make_progress(out) as progress:
        assert isinstance(progress, BarProgress)
        for event in EVENTS:
            progress(event)
    assert "connecting to desk ..." in out.getvalue()
    assert "failed in load" in out.getvalue()


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
