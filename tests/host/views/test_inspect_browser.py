"""The page of `bench inspect` as its readers have it: in Chromium, both themes, wide and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import rkbench
from browser import Browser, chromium, needed
from rkbench.inspection.inspect_file import Request, inspect_file
from rkbench.views.inspect.html import render_html

pytestmark = [pytest.mark.xdist_group("chromium"), pytest.mark.timeout(300)]

DEMO = Path(rkbench.__file__).parent / "demo/data"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needed()
    request = Request(DEMO / "digits.fp16.rknn", other=DEMO / "digits.regrouped.int8.rknn", npu=True)
    file = tmp_path_factory.mktemp("inspect") / "page.html"
    file.write_text(render_html(inspect_file(request)), encoding="utf-8")
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
    assert browser.errors == []
    assert browser.requests == [page.as_uri()]
    assert browser.value("document.documentElement.scrollWidth") <= width
    assert browser.faults(needed()) == []


def test_boxes_of_the_icicle_are_nodes_with_their_layers_summed(page: Path, browser: Browser) -> None:
    browser.open(page.as_uri(), width=1400)
    titles: list[str] = browser.value("[...document.querySelectorAll('#icicle button')].map((b) => b.title)")
    assert [title for title in titles if "block" in title] == [
        f"block{number}.grouped (4 layers)  4.72 MB  32.4 %" for number in range(3)
    ]
    browser.value("[...document.querySelectorAll('#icicle button')][2].click()")
    assert browser.value("document.getElementById('words').value") == "block0.grouped"
    assert browser.value("document.getElementById('found').dataset.layers") == "5"


def test_a_command_is_copied_by_its_button(page: Path, browser: Browser) -> None:
    browser.open(page.as_uri(), width=1400)
    browser.value(
        "window.copied = []; Object.defineProperty(navigator, 'clipboard', { configurable: true, value:"
        " { writeText: async (text) => { copied.push(text); } } }); document.querySelector('.copy').focus();"
    )
    browser.press("Enter", 13)
    assert browser.value("copied") == ["bench fix MODEL.onnx --target rk3588 --dtype fp16 -o FIXED.onnx"]
    assert browser.value("document.querySelector('.copy').textContent") == "Copied"


def test_a_command_that_cannot_be_copied_is_marked(page: Path, browser: Browser) -> None:
    browser.open(page.as_uri(), width=1400)
    browser.value(
        "Object.defineProperty(navigator, 'clipboard', { configurable: true, value: undefined });"
        " document.querySelector('.copy').click();"
    )
    assert browser.value("getSelection().toString().trim()").startswith("bench fix MODEL.onnx")
    assert browser.value("document.querySelector('.copy').textContent") == "Marked: press Ctrl-C"


def test_wide_tables_break_no_word(page: Path, browser: Browser) -> None:
    browser.open(page.as_uri(), width=1400)
    broken = browser.value(
        "[...document.querySelectorAll('td')].filter((cell) => { const range = document.createRange();"
        " const node = cell.firstChild;"
        " if (!node || node.nodeType !== 3 || /\\s/.test(node.data)) return false;"
        " range.selectNodeContents(node);"
        " return new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size > 1; })"
        ".map((cell) => cell.textContent)"
    )
    assert broken == []
    assert browser.value("document.querySelectorAll('td').length") > 100
