"""The page of `bench inspect` in Chinese, in Chromium: what its markup says and what its scripts draw."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import rkbench
from browser import CHROMIUM, Browser, chromium
from rkbench.inspection.inspect_file import Request, inspect_file
from rkbench.language.choice import FOLDERS
from rkbench.language.language import load
from rkbench.views.inspect.html import SAID_BY_SCRIPTS, render_html

pytestmark = [pytest.mark.xdist_group("chromium"), pytest.mark.timeout(300)]

DEMO = Path(rkbench.__file__).parent / "demo/data"
SCRIPTS = Path(rkbench.__file__).parent / "views/inspect/page"
#: Words of English that no name has.
ENGLISH = re.compile(r"\b(?:the|of|is|are|and|with|that|its|for|not|which|layers?|bytes|cause|runs|tasks)\b")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium: apt-get install chromium")
    request = Request(DEMO / "digits.fp16.rknn", other=DEMO / "digits.regrouped.int8.rknn", npu=True)
    file = tmp_path_factory.mktemp("inspect") / "page.html"
    file.write_text(render_html(inspect_file(request), load("zh", FOLDERS["zh"])), encoding="utf-8")
    with chromium(tmp_path_factory.mktemp("chromium")) as opened:
        opened.open(file.as_uri(), width=1400)
        yield opened


def test_it_says_its_language_and_has_no_error(browser: Browser) -> None:
    assert browser.errors == []
    assert browser.value("document.documentElement.lang") == "zh-CN"
    assert browser.value("document.querySelectorAll('[lang=en]').length") == 0
    assert browser.value("document.body.dataset.ready") == "yes"


def test_nothing_that_is_read_is_english(browser: Browser) -> None:
    lines: list[str] = browser.value(
        "[...document.querySelectorAll('h1, h2, h3, p, li, th, td, button, option, span, summary, input')]"
        ".flatMap((e) => [e.innerText, e.title, e.getAttribute('aria-label'), e.placeholder]).filter(Boolean)"
    )
    assert len(lines) > 300
    left = {line for line in lines if ENGLISH.search(re.sub(r"`[^`]*`|\([^()]*\.[^()]*\)", "", line))}
    assert left == set()


def test_what_scripts_draw_is_told(browser: Browser) -> None:
    heads = browser.value("[...document.querySelectorAll('#head th')].map((e) => e.innerText.trim())")
    assert heads[:8] == ["层", "算子", "计算类型", "运行单元", "字节", "常量", "命令", "任务"]
    assert browser.value("document.querySelector('.copy').textContent") == "复制"
    assert "每个字节按部分和 ONNX 节点列出；红色部分：分组卷积按稠密卷积存储。" in browser.value(
        "document.getElementById('hint').textContent"
    )
    assert re.fullmatch(r"(\d+) 层中的 \1 层，14\.\d MB", browser.value("found.textContent"))
    titles: list[str] = browser.value("[...document.querySelectorAll('#icicle button')].map((b) => b.title)")
    assert "block0.grouped（4 层）  4.72 MB  32.4 %" in titles
    assert any(title.startswith("权重  ") for title in titles)


def test_a_cause_is_chosen_by_its_name_and_sums_stay(browser: Browser) -> None:
    browser.value("pick.selectedIndex = 1; pick.onchange()")
    assert browser.value("pick.selectedOptions[0].textContent") == "分组卷积按稠密卷积存储"
    assert int(browser.value("found.dataset.layers")) > 0


@pytest.mark.parametrize("name", ["page.js", "copy.js"])
def test_scripts_say_all_that_they_write(name: str) -> None:
    """A literal with a blank and small letters in it is a sentence; each stands in `say(...)`."""
    source = (SCRIPTS / name).read_text(encoding="utf-8")
    source = re.sub(r"/\*.*?\*/|^\s*//.*$", "", source, flags=re.MULTILINE | re.DOTALL)
    literals = re.findall(r'"([^"\n]*[a-z]{2,} [a-z{][^"\n]*)"', source)
    classes = re.compile(r"(?:n|wide|name|kind|said|time|count|macs|ratio| )+")
    sentences = {text for text in literals if not classes.fullmatch(text)}
    assert sentences <= set(SAID_BY_SCRIPTS.findall(source))
