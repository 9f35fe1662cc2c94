"""A site as its readers have it: from a folder, in Chromium, both themes, two widths, by keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Browser, chromium, needed
from rkbench.store import open_store
from rkbench.views.site.build import build_site
from rkbench.views.site.listing import board_path, model_path
from site_store import HOSTILE, fill, push_id

pytestmark = [pytest.mark.xdist_group("chromium"), pytest.mark.timeout(300)]

PAGES = (
    "index.html",
    "pushes.html",
    f"pushes/{push_id(27)}.html",
    model_path("mobilenetv2.int8-mmse"),
    model_path(HOSTILE),
    board_path("rack-1"),
    "nights/night-1.html",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needed()
    folder = tmp_path_factory.mktemp("site")
    fill(folder / "results.sqlite")
    with open_store(folder / "results.sqlite") as store:
        build_site(store, folder / "site")
    return folder / "site"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    needed()
    with chromium(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.mark.parametrize("width", [1400, 400])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_its_pages_have_no_serious_fault_of_access(
    site: Path, browser: Browser, width: int, dark: bool
) -> None:
    for page in PAGES:
        browser.open((site / page).as_uri(), width=width, dark=dark)
        assert browser.errors == [], page
        own = {(site / name).as_uri() for name in (page, "site.css", "site.js")}
        assert set(browser.requests) - {"data:,"} == own, page
        assert browser.value("document.documentElement.scrollWidth") <= width, page
        assert browser.faults(needed()) == [], page


def search(browser: Browser, words: str) -> list[list[str]]:
    """Type into the search, and return title and link of what is found, once all is read."""
    browser.value(f"(() => {{ const f = document.getElementById('search'); f.focus(); f.value = {words!r};"
                  " f.dispatchEvent(new Event('input')); return true; })()")  # fmt: skip
    found: list[list[str]] = browser.value(
        "(async () => { const told = () => document.querySelector('#found [role=status]').textContent;"
        " while (told().startsWith('searching')) await new Promise((r) => setTimeout(r, 10));"
        " return [...document.querySelectorAll('#found a')].map((a) => [a.textContent, a.href]); })()"
    )
    return found


def test_the_search_finds_models_boards_tags_and_days_without_a_server(site: Path, browser: Browser) -> None:
    browser.open((site / "index.html").as_uri(), width=1400)
    assert search(browser, "int8-MMSE model")[0] == [
        "mobilenetv2.int8-mmse", (site / model_path("mobilenetv2.int8-mmse")).as_uri(),
    ]  # fmt: skip
    tagged = [["mobilenetv2.fp16", (site / f"pushes/{push_id(0)}.html").as_uri()]]
    assert search(browser, "before-the-update") == tagged
    assert search(browser, "2026-10-01") == tagged
    assert next(title for title, _ in search(browser, "onerror")).startswith("<img src=x onerror")
    assert search(browser, "no such thing") == []
    assert browser.value("document.querySelector('#found [role=status]').textContent") == "nothing found"
    assert browser.value("document.getElementById('page').hidden")
    assert browser.faults(needed()) == []
    assert search(browser, "rack-1 suspect") != []
    browser.value("(() => { const f = document.getElementById('search'); f.value = '';"
                  " f.dispatchEvent(new Event('input')); return true; })()")  # fmt: skip
    assert not browser.value("document.getElementById('page').hidden")


def test_a_search_on_a_page_in_a_folder_leads_to_the_right_place(site: Path, browser: Browser) -> None:
    browser.open((site / board_path("rack-1")).as_uri(), width=400)
    ((_, link), *_) = search(browser, "rack-2 board")
    assert link == (site / board_path("rack-2")).as_uri()
    assert browser.errors == []


def test_a_site_can_be_walked_by_keyboard(site: Path, browser: Browser) -> None:
    browser.open((site / "index.html").as_uri(), width=1400)
    seen = []
    for _ in range(9):
        browser.press("Tab", 9)
        seen.append(
            browser.value(
                "(() => { const e = document.activeElement;"
                " return e.getAttribute('aria-label') || e.textContent.trim(); })()"
            )
        )
        assert browser.value("document.activeElement.matches(':focus-visible')")
    assert seen[:8] == [
        "To the page", "rkbench", "Pushes", "Models", "Boards", "Nights", "Search everything", "pushes",
    ]  # fmt: skip
    search(browser, "rack-1 board")
    browser.press("Enter", 13)
    assert browser.value("document.activeElement.textContent") == "rack-1"
    browser.press("Enter", 13)
    browser.wait("Page.loadEventFired")
    assert browser.value("location.href") == (site / board_path("rack-1")).as_uri()


def test_a_page_without_scripts_has_its_tables_and_no_search(site: Path, browser: Browser) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open((site / "index.html").as_uri(), width=1400)
        assert browser.errors == []
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)
    assert browser.value("document.querySelector('form').hidden")
    assert browser.value("document.querySelectorAll('table').length") == 4
