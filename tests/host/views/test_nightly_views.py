"""A night in words, Markdown, JUnit and on a terminal: nothing of it breaks a format, or looks green."""

from __future__ import annotations

import io
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from rkbench.results.night import BoardReport, CellResult, ConditionChange, Fault, GateResult, Night
from rkbench.stats.gates import CANNOT_TELL, FAIL, NOT_MEASURED, PASS
from rkbench.stats.judging import Judgement
from rkbench.views.nightly.console import night_document, print_night
from rkbench.views.nightly.junit import render_junit
from rkbench.views.nightly.markdown import render_markdown
from rkbench.views.nightly.sentences import gate_line, headline

SLOW = GateResult(
    "p50 within 5%",
    "p50",
    "s",
    FAIL,
    (
        Judgement(FAIL, 0.00451, 0.0041, 10.0, 9.6, 10.4),
        Judgement(FAIL, 0.0045, 0.0041, 9.8, 9.4, 10.1),
    ),
    "measured twice",
)
KEPT = GateResult("size <= 10MB", "size", "B", PASS, (Judgement(PASS, 2_009_389.0),))
BROKEN = GateResult("cosine >= 0.999", "cosine", "", FAIL, (Judgement(FAIL, 0.31, 0.99998, -69.0),))
NAN = GateResult("cosine >= 0.999", "cosine", "", FAIL, (Judgement(FAIL, float("nan")),))
VAGUE = GateResult(
    "p50 within 5%", "p50", "s", CANNOT_TELL, (Judgement(CANNOT_TELL, 0.004, 0.004),), "too few"
)
CELL = CellResult(
    "digits", "digits.fp16", "rock", "default", gates=(SLOW, KEPT), baseline="b-01", p50_s=0.0045
)
GONE = CellResult(
    "digits",
    "digits.int8",
    "shelf",
    "default",
    gates=(GateResult("size <= 10MB", "size", "B", NOT_MEASURED, (Judgement(NOT_MEASURED, detail="gone"),)),),
    fault=Fault("board 'shelf': no SSH answer\x1b[31m", "check power | network"),
)
NIGHT = Night("night-1", "lab", "f", 1_796_000_000.0, 1_796_000_100.0, cells=(CELL, GONE))


def test_a_regression_is_one_line_with_what_where_how_much_how_sure_and_what_changed() -> None:
    changed = (
        ConditionChange("runtime", "2.3.0", "2.3.2", True),
        ConditionChange("model", "aaa", "bbb", False),
    )
    assert gate_line(replace(CELL, changes=changed), SLOW) == (
        "digits.fp16 on rock: p50 within 5%: +10.0 % (95 %: +9.6 to +10.4 %), 4.10 ms → 4.51 ms; "
        "again +9.8 % (95 %: +9.4 to +10.1 %), 4.10 ms → 4.50 ms (measured twice); "
        "changed since the baseline: runtime 2.3.0 → 2.3.2, model aaa → bbb"
    )
    assert gate_line(CELL, BROKEN) == (
        "digits.fp16 on rock: cosine >= 0.999: 0.99998 → 0.31000; "
        "changed since the baseline: nothing that is recorded"
    )
    assert gate_line(replace(CELL, baseline=None), NAN) == "digits.fp16 on rock: cosine >= 0.999: NaN"


def test_a_crossed_gate_never_reads_as_kept() -> None:
    for text, quantity, now, told in (
        ("size within 5%", "size", 105_040.0, "+5.04 %"),
        ("load memory within 5%", "load memory", 105_040.0, "+5.04 %"),
        ("cosine within 5%", "cosine", 94_960.0, "-5.04 %"),
    ):
        percent = (now - 100_000.0) / 1000
        crossed = GateResult(text, quantity, "B", FAIL, (Judgement(FAIL, now, 100_000.0, percent),))
        assert f"{text}: {told}, " in gate_line(CELL, crossed)


def test_the_headline_says_why_a_night_is_not_green() -> None:
    assert headline(NIGHT) == "RED: lab, 1 crossed, 1 not measured of 3 gates"
    assert headline(replace(NIGHT, cells=(GONE,))) == "NOT GREEN: lab, 1 not measured of 1 gates"
    vague = replace(NIGHT, cells=(replace(CELL, gates=(VAGUE, KEPT)),))
    assert headline(vague) == "GREEN: lab, 1 undecided of 2 gates"
    kept = replace(NIGHT, cells=(replace(CELL, gates=(KEPT,), simulated=True),))
    assert headline(kept) == "GREEN: lab, all 1 gates kept (simulated by virtual boards)"


def test_an_interrupted_night_speaks_of_what_it_came_to_and_how_it_goes_on() -> None:
    kept = replace(NIGHT, cells=(replace(CELL, gates=(KEPT,)),), interrupted=True)
    assert headline(kept) == "NOT GREEN: lab, interrupted, all 1 gates so far kept"
    nothing = replace(NIGHT, cells=(), interrupted=True)
    assert headline(nothing) == "NOT GREEN: lab, interrupted, nothing measured"
    out = io.StringIO()
    print_night(nothing, out)
    assert "interrupted: the same command goes on where it was; --fresh begins anew\n" in out.getvalue()


def test_a_run_that_is_doubted_says_so_beside_what_its_gates_say() -> None:
    """Red because the board throttled under the model, or green all the same: the gates do not tell."""
    codes = ("governor", "throttling", "blocks_differ", "few_blocks")
    ill = replace(CELL, verdict="SUSPECT", caveats=codes, simulated=True)
    line = "digits.fp16 on rock (simulated): SUSPECT: throttling, blocks_differ"
    for cells in ((ill,), (replace(ill, gates=(KEPT,)),)):
        out, night = io.StringIO(), replace(NIGHT, cells=cells)
        print_night(night, out)
        assert f"\ndoubted: {line}\n" in out.getvalue()
        assert f"### Doubted\n\n- {line}".replace("_", "\\_") in render_markdown(night)
    sound = replace(NIGHT, cells=(replace(CELL, verdict="UNPINNED", caveats=codes),))
    assert "oubted" not in render_markdown(sound)


def test_only_a_green_night_that_was_saved_ends_with_zero() -> None:
    kept = replace(NIGHT, cells=(replace(CELL, gates=(KEPT,)),))
    assert [NIGHT.exit_code, replace(NIGHT, cells=(GONE,)).exit_code, kept.exit_code] == [3, 1, 0]
    assert replace(kept, problems=("rock: not saved",)).exit_code == 1
    assert replace(kept, interrupted=True).exit_code == 1


def test_junit_says_the_verdict_of_the_run_under_each_gate() -> None:
    night = replace(NIGHT, cells=(replace(CELL, verdict="UNPINNED"), GONE))
    cases = ElementTree.fromstring(render_junit(night).encode()).findall("testsuite/testcase")
    words = [
        [item.get("value") for item in case.findall("properties/property") if item.get("name") == "verdict"]
        for case in cases
    ]
    assert words == [*[["UNPINNED"]] * len(CELL.gates), *[[]] * len(GONE.gates)]


def test_junit_has_a_case_for_every_gate_and_stays_xml() -> None:
    nasty = replace(CELL, variant='a"<&\x00]]>é', gates=(SLOW, KEPT, VAGUE))
    suite = ElementTree.fromstring(render_junit(replace(NIGHT, cells=(nasty, GONE))).encode())[0]
    cases = suite.findall("testcase")
    assert [case.attrib["name"] for case in cases] == [
        'a"<&�]]>é: p50 within 5%',
        'a"<&�]]>é: size <= 10MB',
        'a"<&�]]>é: p50 within 5%',
        "digits.int8: size <= 10MB",
    ]
    assert [[child.tag for child in case if child.tag != "properties"] for case in cases] == [
        ["failure"],
        [],
        ["skipped"],
        ["error"],
    ]
    counts = {name: suite.attrib[name] for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "4", "failures": "1", "errors": "1", "skipped": "1"}
    assert "check power | network" in (cases[3].findtext("error") or "")


def test_markdown_escapes_what_would_break_its_table() -> None:
    board = BoardReport("shelf|2", fault=Fault("no `answer`\nat all"))
    nasty = replace(CELL, board="shelf|2", variant="a_b*c")
    text = render_markdown(replace(NIGHT, cells=(nasty,), boards=(board,)))
    assert "| a\\_b\\*c | shelf\\|2 | **FAIL** (1 of 2 kept) | 4.50 ms |" in text
    assert "- shelf\\|2 took no part: no \\`answer\\` at all" in text


def test_what_was_passed_the_second_time_or_begun_anew_is_told() -> None:
    twice = replace(SLOW, state=PASS, detail="beyond it once, not when measured again")
    cell = replace(CELL, gates=(twice,), retried="the connection broke off")
    text = render_markdown(replace(NIGHT, cells=(cell,)))
    assert "### Crossed once, not when measured again\n\n- digits.fp16 on rock: p50 within 5%" in text
    assert "### Begun anew once\n\n- digits.fp16 on rock, after: the connection broke off" in text


def test_the_terminal_shows_every_line_whole_and_no_control_characters() -> None:
    out = io.StringIO()
    print_night(NIGHT, out)
    lines = out.getvalue().splitlines()
    assert sum(line.startswith("crossed: digits.fp16 on rock: p50 within 5%") for line in lines) == 1
    assert lines[-1] == "RED: lab, 1 crossed, 1 not measured of 3 gates"
    assert "\x1b" not in out.getvalue()


def test_the_json_has_null_for_nan_and_the_exit_code() -> None:
    document = night_document(replace(NIGHT, cells=(replace(CELL, gates=(NAN,)),)))
    assert document["exit_code"] == 3
    assert document["cells"][0]["gates"][0]["measurements"][0]["value"] is None
    assert document["cells"][0]["state"] == "fail"


def test_a_narrow_terminal_breaks_names_where_words_end_and_tells_once_what_all_cells_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "56")
    cells = [
        replace(CELL, variant=f"digits.regrouped.{dtype}", board="shelf", gates=(KEPT,))
        for dtype in ("fp16", "int8")
    ]
    out = io.StringIO()
    print_night(replace(NIGHT, cells=tuple(cells)), out)
    assert out.getvalue().splitlines()[:4] == [
        "model                  gates         p50  p99  memory",
        "digits.regrouped.fp16  pass (1)  4.50 ms    –       –",
        "digits.regrouped.int8  pass (1)  4.50 ms    –       –",
        "all cells: board shelf, plan default",
    ]
    monkeypatch.setenv("COLUMNS", "48")
    out = io.StringIO()
    print_night(replace(NIGHT, cells=tuple(cells)), out)
    assert [line.split()[0] for line in out.getvalue().splitlines()[1:3]] == ["digits.", "regrouped.fp16"]


def test_a_cosine_that_is_not_one_never_reads_as_one() -> None:
    near = replace(BROKEN, state=PASS, measurements=(Judgement(PASS, 0.9999986, 0.9999991),))
    assert ": cosine >= 0.999: 0.999999 → 0.999999; " in gate_line(CELL, near)
