"""`--require`: what a push must keep, of one output or of the worst, judged by the gates of nights."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from made_runs import collected, make_run
from rkbench.campaign import compare_collected
from rkbench.errors import UsageError
from rkbench.results.extras import Requirement
from rkbench.results.gating import exit_code, parse_requirements, with_requirements
from rkbench.results.model import Failure, RunResult
from rkbench.results.output import Output
from rkbench.units import RATIO, SECONDS, format_between
from rkbench.views.push.csv import write_runs
from rkbench.views.push.json import push_document
from rkbench.views.push.requirements import requirement_lines

OUTPUTS = (
    Output(0, "boxes", case_count=4, cosine=0.9999, snr_db=40.0, max_abs_error=0.5),
    Output(1, "scores", case_count=4, cosine=0.98, snr_db=14.0, max_abs_error=0.1),
    Output(2, "same", case_count=4, cosine=1.0, max_abs_error=0.0, snr_infinite=1),
)
RUN = make_run(outputs=OUTPUTS)


def judged(*texts: str, run: RunResult = RUN) -> RunResult:
    """Return the run with what each requirement says of it."""
    return with_requirements(collected(run), parse_requirements(texts)).run


@pytest.mark.parametrize(
    ("text", "state", "value", "code"),
    [
        ("cosine[scores] >= 0.999", "fail", 0.98, 3),
        ("cosine[boxes] >= 0.999", "pass", 0.9999, 0),
        ("cosine >= 0.999", "fail", 0.98, 3),
        ("snr[same] >= 30dB", "pass", float("inf"), 0),
        ("max error[scores] <= 0.1", "pass", 0.1, 0),
        ("cosine[masks] >= 0.9", "not measured", None, 1),
        ("top-1 >= 99%", "not measured", None, 1),
    ],
)
def test_a_requirement_speaks_of_one_output_or_of_the_worst(
    text: str, state: str, value: float | None, code: int
) -> None:
    run = judged(text)
    (told,) = run.requirements
    assert (told.gate, told.state, told.value, exit_code([run])) == (text, state, value, code)


def test_an_output_that_is_not_there_is_told_with_those_that_are() -> None:
    (told,) = judged("cosine[masks] >= 0.9").requirements
    assert told.detail == "no output 'masks': boxes, scores, same"


def test_a_requirement_that_is_crossed_ends_with_3_whatever_else_failed() -> None:
    failed = judged("size <= 100MB", run=replace(RUN, failure=Failure("load", "crash", "died")))
    assert exit_code([failed, judged("cosine >= 0.999")]) == 3


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "100.0 %"), (0.9997, "99.97 %"), (0.99999, "99.999 %"), (0.995, "99.5 %"), (0.0, "0.0 %")],
)
def test_only_all_of_them_read_as_100_percent(value: float, text: str) -> None:
    assert RATIO.text(value) == text


def test_a_run_that_failed_keeps_nothing_and_ends_with_1() -> None:
    run = judged("size <= 100MB", run=replace(RUN, failure=Failure("load", "crash", "died")))
    assert (run.requirements[0].state, exit_code([run])) == ("not measured", 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("p50[scores] <= 3ms", "p50 is of no single output"),
        ("p50 within 5%", "needs a baseline, which nights have"),
        ("cosin >= 1", "is nothing that is measured"),
    ],
)
def test_what_no_push_can_keep_is_refused_when_it_is_typed(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_requirements([text])


def test_every_view_tells_them() -> None:
    run = judged("cosine[scores] >= 0.999", "snr[same] >= 30dB")
    lines = [line.lead + line.text for line in requirement_lines([run])]
    assert lines == [
        "✗  fp16: cosine[scores] >= 0.999: 0.98000",
        "✓  fp16: snr[same] >= 30dB: ∞ dB, no error at all",
    ]
    document = push_document([run], compare_collected([collected(run)]))
    assert [told["state"] for told in document["runs"][0]["requirements"]] == ["fail", "pass"]
    write_runs([run], out := StringIO())
    assert "cosine[scores] >= 0.999: fail; snr[same] >= 30dB: pass" in out.getvalue()


@pytest.mark.parametrize(
    ("limit_ms", "text"), [(1.031, "1.0313–1.032 ms"), (1.0312, "1.0313–1.032 ms"), (1.0, "1.031–1.032 ms")]
)
def test_a_bound_beyond_the_limit_never_reads_like_it(limit_ms: float, text: str) -> None:
    assert format_between(SECONDS, 0.00103127, 0.0010324, limit_ms / 1000) == text


def test_bounds_keep_the_digits_that_tell_them_apart_where_one_ends_in_zero() -> None:
    assert format_between(SECONDS, 0.0020667, 0.0020703) == "2.067–2.070 ms"
    assert format_between(SECONDS, 0.1234, 0.1231) == "123.4–123.1 ms"


def test_bounds_of_a_simulated_run_are_marked_as_its_value_is() -> None:
    told = Requirement("p50 <= 1ms", "p50", "s", "fail", 0.00226, 0.00225, 0.00227)
    (line,) = requirement_lines([replace(RUN, simulated=True, requirements=(told,))])
    assert line.text == "fp16: p50 <= 1ms: ≈2.26 ms (95 %: ≈2.25–2.27 ms)"
