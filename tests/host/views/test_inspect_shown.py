"""Which causes are told by default, and which are one line."""

from __future__ import annotations

from dataclasses import replace

import pytest
from inspect_samples import sample_inspection
from rkbench.errors import UsageError
from rkbench.inspection.causes import Cause, Fix
from rkbench.inspection.document import FileInspection
from rkbench.inspection.shown import shown_causes
from rkbench.language.said import say
from rkbench.views.inspect.console import render_console
from rkbench.views.inspect.html import render_html
from rkbench.views.inspect.json import to_json
from rkbench.views.inspect.terminal import wants_all
from rkbench.views.notebook import inspection_html

SIZE = 1_000_000


def cause(code: str, size_bytes: int, saved_bytes: int | None = None) -> Cause:
    """Return a cause of a file of a million bytes, whose cure is called by its code."""
    fix = Fix("network", say("cure of {code}", code=code), saved_bytes=saved_bytes)
    title = say("title of {code}", code=code)
    return Cause(code, title, (), size_bytes, size_bytes / SIZE, {}, title, title, (), (fix,), (), ())


def with_causes(*causes: Cause, lead: str | None = None) -> FileInspection:
    """Return the inspection of a sample with other causes, as if it had a million bytes."""
    made = sample_inspection("erf_rk3588_i8")
    assert isinstance(made, FileInspection)
    answers = made.answers
    size = replace(answers.why_this_big, causes=tuple(say("named {code}", code=each.code) for each in causes))
    steps = tuple(fix.action for each in causes for fix in each.fix)
    change = replace(answers.what_to_change, steps=steps)
    return replace(
        made,
        file=replace(made.file, size_bytes=SIZE),
        causes=causes,
        lead_cause=lead,
        answers=replace(answers, why_this_big=size, what_to_change=change),
    )


MANY = (
    cause("large", 300_000),
    cause("notable", 10_000),
    cause("cured", 9_999, saved_bytes=10_000),
    cause("leading", 5_000),
    cause("small", 4_000),
    cause("smaller", 3_000, saved_bytes=3_000),
)


def test_a_hundredth_of_the_file_owned_or_saved_is_told_and_the_lead() -> None:
    shown = shown_causes(with_causes(*MANY, lead="leading"))
    assert [each.code for each in shown.told] == ["large", "notable", "cured", "leading"]
    assert [each.code for each in shown.smaller] == ["small", "smaller"]
    assert shown.rest == ("2 smaller causes, together 7.00 kB (0.7 %): title of small and title of smaller")


def test_of_small_ones_alone_the_largest_is_told() -> None:
    shown = shown_causes(with_causes(cause("small", 4_000), cause("smaller", 3_000)))
    assert [each.code for each in shown.told] == ["small"]


def test_all_are_told_when_asked() -> None:
    shown = shown_causes(with_causes(*MANY), everything=True)
    assert (shown.told, shown.smaller, shown.rest) == (MANY, (), "")


def test_the_terminal_tells_the_rest_in_one_line_and_asks_nothing_of_it() -> None:
    text = render_console(with_causes(*MANY), 100)
    assert "   3 smaller causes, together 12.0 kB (1.2 %): title of leading, title of small and" in text
    assert "cure of notable" in text
    assert "named notable" in text
    assert "cure of small" not in text
    assert "named small" not in text
    asked = render_console(with_causes(*MANY), 100, all_causes=True)
    assert asked.count("cure of small\n") == 2
    assert "--causes all" not in asked


def test_the_page_folds_the_rest_and_json_and_api_keep_all() -> None:
    inspection = with_causes(*MANY)
    page = render_html(inspection)
    folded = page.split('<details class="smaller">')[1]
    assert "3 smaller causes, together 12.0 kB (1.2 %)" in folded
    assert 'data-code="small"' in folded
    assert len(to_json(inspection)["causes"]) == len(MANY)
    assert "3 smaller causes, together" in inspection_html(inspection)


def test_which_causes_is_one_of_two_words() -> None:
    assert (wants_all("all"), wants_all("notable")) == (True, False)
    with pytest.raises(UsageError, match="--causes some: which causes"):
        wants_all("some")
