"""Names, messages and logs of others in every view: none of their signs acts, whatever they are."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from made_runs import collected, make_run
from rkbench.boards.model import Board
from rkbench.campaign import compare_collected
from rkbench.campaign.status import BoardStatus
from rkbench.catalogue.check import FAIL, Check
from rkbench.cli.voice import say
from rkbench.decoding.documents import parse
from rkbench.results.events import Ended, Note, Sending, Step, Waiting
from rkbench.results.history import history_row
from rkbench.results.model import Failure, RunResult
from rkbench.results.night import CellEnded, Fault, Told
from rkbench.results.serialize import dump_run
from rkbench.store import open_store
from rkbench.views.boards import show_boards, show_states
from rkbench.views.doctor import print_checks
from rkbench.views.history import show_history
from rkbench.views.nightly.console import print_night
from rkbench.views.nightly.markdown import render_markdown
from rkbench.views.nightly.progress import NightProgress
from rkbench.views.push.console import print_push
from rkbench.views.push.csv import write_runs
from rkbench.views.push.progress import BarProgress, PlainProgress
from rkbench.views.terminal import make_console
from rkbench_agent.wire.caveats import Caveat
from rkbench_agent.wire.text import encodable, printable
from test_nightly_views import NIGHT

SIGNS = "\x1b[2J\x07\r\x08\x9b31m\u202e\u202d\u2066\u2069\u200b\u200f\ufeff\u2028\x00\ud800\udcff"
EVIL = f"x{SIGNS}|`a`[b](c)<i>"
T = TypeVar("T")


def hostile(value: T, evil: str = EVIL) -> T:
    """Return a dataclass with hostile text behind each of its names and messages."""
    changed: dict[str, Any] = {}
    for field in fields(value):  # type: ignore[arg-type]  # only dataclasses are given
        held = getattr(value, field.name)
        if field.name in TEXTS and isinstance(held, str):
            changed[field.name] = held + evil
        elif is_dataclass(held) and not isinstance(held, type):
            changed[field.name] = hostile(held, evil)
        elif isinstance(held, tuple) and held and is_dataclass(held[0]):
            changed[field.name] = tuple(hostile(item, evil) for item in held)
    return replace(value, **changed)  # type: ignore[type-var]  # as above


TEXTS = {
    "name", "soc", "runtime_version", "driver_version", "npu_governor", "message", "advice", "suite",
    "variant", "board", "owner", "toolkit_version", "model", "kernel", "board_model", "note", "detail",
}  # fmt: skip


def hostile_run() -> RunResult:
    failure = Failure("load", "crash", f"died {EVIL}", EVIL, "SIGSEGV", log_tail=(EVIL, SIGNS))
    run = replace(make_run(), failure=failure, caveats=(Caveat("governor", EVIL, EVIL),))
    return hostile(run)


def assert_harmless(text: str) -> None:
    for line in text.split("\n"):
        assert line.isprintable(), repr(line)
    text.encode()


@pytest.mark.parametrize("width", [40, 80])
def test_a_push_on_the_console(width: int) -> None:
    runs, out = [hostile_run(), hostile(make_run(2, "b"))], io.StringIO()
    print_push(runs, compare_collected([collected(run) for run in runs]), make_console(out, width))
    assert_harmless(out.getvalue())
    assert "\\x1b[2J" in out.getvalue()


def test_the_progress_of_a_push() -> None:
    events = (Step(EVIL), Note(EVIL), Waiting(EVIL, 1.0), Sending(EVIL, 1, 2), Ended(hostile_run()))
    out, bars = io.StringIO(), io.StringIO()
    with PlainProgress(out) as plain, BarProgress(bars) as bar:
        for event in events:
            plain(event)
            bar(event)
    assert_harmless(out.getvalue())
    assert_harmless(bars.getvalue())


def test_history_boards_and_doctor() -> None:
    board = Board(EVIL, EVIL, user=EVIL, soc=EVIL, tags=(EVIL,))
    out = io.StringIO()
    with redirect_stdout(out):
        show_history([history_row(hostile_run())])
        show_boards([board], as_json=False)
        show_states([BoardStatus(board, fault=EVIL)], as_json=False)
        show_states([BoardStatus(board, owner=EVIL, reason=EVIL)], as_json=False)
        print_checks(board, (Check("soc", FAIL, EVIL, EVIL, EVIL, EVIL),), make_console(out))
        say(f"{EVIL}\n{EVIL}")
    assert_harmless(out.getvalue())


def test_a_night_on_the_console_and_in_markdown() -> None:
    cell = replace(NIGHT.cells[0], variant=EVIL, board=EVIL, fault=Fault("load", EVIL))
    night = replace(hostile(NIGHT), cells=(cell, *NIGHT.cells))
    out = io.StringIO()
    print_night(night, out)
    progress = NightProgress(out)
    progress(Told(EVIL, EVIL))
    progress(CellEnded(cell, 1, 2))
    page = render_markdown(night)
    assert_harmless(out.getvalue())
    assert_harmless(page)
    assert "\\|\\`a\\`\\[b\\](c)\\<i>" in page


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", "\n="])
def test_no_cell_of_csv_is_a_formula(start: str) -> None:
    out = io.StringIO()
    run = make_run(1, f"{start}cmd|calc{SIGNS}")
    write_runs([replace(run, failure=Failure("load", "crash", f"{start}1", "", None))], out)
    assert_harmless(out.getvalue())
    (row,) = csv.DictReader(io.StringIO(out.getvalue()))
    assert row["variant"][0] in "'\\"
    assert row["failure"][0] in "'\\"


def test_the_store_and_json_hold_what_no_utf8_can(tmp_path: Path) -> None:
    run = hostile_run()
    with open_store(tmp_path / "store") as store:
        store.save(collected(run))
        (row,) = store.history()
        kept = store.run(run.id)
    assert kept is not None
    assert kept.variant.name == encodable(run.variant.name) == row.variant
    assert parse(dump_run(run).encode(), "a run") == json.loads(dump_run(run))


@pytest.mark.parametrize("escape", [printable, encodable])
def test_escaping_twice_changes_nothing_more(escape: Callable[[str], str]) -> None:
    assert escape(escape(EVIL)) == escape(EVIL)
    assert escape("é 模型 ≈ →") == "é 模型 ≈ →"
