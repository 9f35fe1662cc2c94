"""The page of a report as its readers have it: in Chromium, both themes, wide and on a phone, by keyboard."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Browser, chromium, needed
from rkbench.results.measures import LATENCY_P50, MEASURES
from rkbench.views.report.page import render_page
from test_report import report_of

pytestmark = [pytest.mark.xdist_group("chromium"), pytest.mark.timeout(300)]

NAMES = [f"net.recipe-{number:02d}" for number in range(1, 6)]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of five variants on a simulated board."""
    needed()
    file = tmp_path_factory.mktemp("report") / "report.html"
    file.write_text(render_page(*report_of(*NAMES, simulated=True)), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    needed()
    with chromium(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.mark.parametrize("width", [1400, 400])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_has_no_serious_fault_of_access(
    page: Path, browser: Browser, width: int, dark: bool
) -> None:
    browser.open(page.as_uri(), width=width, dark=dark)
    assert browser.faults(needed()) == []
    assert browser.value("document.documentElement.scrollWidth") <= width
    assert browser.requests == [page.as_uri()]
    assert browser.errors == []


def test_the_page_can_be_walked_by_keyboard(page: Path, browser: Browser) -> None:
    browser.open(page.as_uri(), width=1400)
    seen: list[str] = []
    for _ in range(12):
        browser.press("Tab", 9)
        name, outline = browser.value(
            "(() => { const e = document.activeElement; const s = getComputedStyle(e);"
            " return [e.getAttribute('aria-label') || e.textContent.slice(0, 40),"
            " e === document.body ? 'body' : s.outlineStyle + s.borderColor + s.boxShadow]; })()"
        )
        if outline == "body":
            break
        seen.append(name)
        assert browser.value("document.activeElement.matches(':focus-visible')")
    assert seen == [
        "the variants, a row each",
        "figures of all variants",
        "Save the results (JSON)",
        "Save every latency (CSV)",
    ]


def test_the_data_is_saved_by_keyboard_and_is_that_of_the_page(page: Path, browser: Browser) -> None:
    browser.open(page.as_uri(), width=1400)
    browser.value(
        "window.saved = []; const make = URL.createObjectURL;"
        " URL.createObjectURL = (blob) => { blob.text().then((t) => saved.push(t)); return make(blob); };"
        " HTMLAnchorElement.prototype.click = () => {}; document.querySelectorAll('button')[1].focus(); true"
    )
    browser.press("Enter", 13)
    (text,) = browser.value(
        "(async () => { while (!saved.length) await new Promise((r) => setTimeout(r)); return saved; })()"
    )
    packed = browser.value("document.getElementById('latencies').textContent")
    assert text == gzip.decompress(base64.b64decode(packed)).decode()
    items, _ = report_of(*NAMES, simulated=True)
    rows = list(csv.DictReader(io.StringIO(text)))
    told = [int(row["duration_ns"]) for row in rows if row["variant"] == NAMES[2]]
    assert told == list(items[2].latencies.duration_ns)


def test_the_figures_on_screen_are_those_of_the_json(page: Path, browser: Browser) -> None:
    browser.open(page.as_uri(), width=1400)
    document: dict[str, Any] = json.loads(browser.value("document.getElementById('document').textContent"))
    shown = dict(
        browser.value(
            "[...document.querySelectorAll('table.figures tbody tr')].map((row) => [row.cells[0].innerText,"
            " [...row.cells].slice(1).map((cell) => (cell.firstChild || cell).textContent.trim())])"
        )
    )
    metrics = {metric["name"]: metric for metric in document["comparison"]["metrics"]}
    compared = [measure for measure in MEASURES if measure.compared and measure.label in shown]
    assert LATENCY_P50 in compared
    for measure in compared:
        values = [metrics[measure.name]["values"][run["id"]] for run in document["runs"]]
        assert [text.removeprefix("≈") for text in shown[measure.label]] == [
            measure.unit.text(value) for value in values
        ]


def test_both_themes_have_their_colours(page: Path, browser: Browser) -> None:
    grounds = []
    for dark in (False, True):
        browser.open(page.as_uri(), width=1400, dark=dark)
        grounds.append(browser.value("getComputedStyle(document.body).backgroundColor"))
    assert grounds[0] != grounds[1]
    light, dark_ground = (sum(map(int, text[4:-1].split(","))) for text in grounds)
    assert light > 600 > 200 > dark_ground
