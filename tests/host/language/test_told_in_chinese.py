"""What is told in Chinese: whole inspections, in the same numbers and names, at 80 columns."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rkbench.catalogue.facts import BoardState
from rkbench.catalogue.rows import find_row
from rkbench.inspection.document import Inspection
from rkbench.inspection.inspect_file import Request, inspect_file
from rkbench.language.choice import FOLDERS, forget, spoken
from rkbench.language.documents import translated
from rkbench.language.language import ENGLISH, Language, load
from rkbench.language.said import Said, listed, say, together
from rkbench.views.inspect.console import render_console
from rkbench.views.inspect.html import render_html
from rkbench.views.inspect.json import render_json

MODELS = Path(__file__).parents[2] / "data" / "models"
DEMO = Path(__file__).parents[3] / "host" / "rkbench" / "demo" / "data"
SAMPLES = sorted((*MODELS.glob("*.rknn"), *MODELS.glob("*.onnx"), *DEMO.glob("*.rknn")))
#: Words that a reader of English would miss in a sentence: none of them is left over.
LEFT = re.compile(r"\b(?:the|of|is|are|and|with|that|its|for|not|which)\b")
#: Between a character and a letter or digit stands a blank, beside punctuation and twice none.
TOUCHING = re.compile(
    "[\u4e00-\u9fff][A-Za-z0-9]|[A-Za-z0-9%][\u4e00-\u9fff]|[\u4e00-\u9fff][,;:()]|[,;:()][\u4e00-\u9fff]"
    "|[，。；：、（）] (?!→)| [，。；：、（）]|  "
)


@pytest.fixture(scope="module")
def chinese() -> Language:
    return load("zh", FOLDERS["zh"])


def sentences(value: Any) -> list[Said]:
    """Return every sentence in a document."""
    if isinstance(value, Said):
        return [value]
    if isinstance(value, tuple):
        return [said for item in value for said in sentences(item)]
    if is_dataclass(value) and not isinstance(value, type):
        return [said for field in fields(value) for said in sentences(getattr(value, field.name))]
    return []


def inspected(path: Path) -> Inspection:
    return inspect_file(Request(path))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_a_file_is_told_in_the_same_numbers(path: Path, chinese: Language) -> None:
    told = [(said, chinese.tell(said)) for said in sentences(inspected(path)) if said]
    assert told
    for english, text in told:
        assert Counter(re.findall(r"\d+", english)) == Counter(re.findall(r"\d+", text)), (english, text)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_no_english_is_left_in_the_sentences_of_a_file(path: Path, chinese: Language) -> None:
    for english in sentences(inspected(path)):
        text = chinese.tell(english)
        assert not LEFT.search(re.sub(r'"[^"]*"|`[^`]*`', "", text)), (english, text)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_parts_of_a_sentence_stand_apart_as_its_words_do(path: Path, chinese: Language) -> None:
    for english in sentences(inspected(path)):
        text = chinese.tell(english)
        assert not TOUCHING.search(re.sub(r'"[^"]*"|`[^`]*`', "", text)), text


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_the_view_in_chinese_is_as_wide_as_the_terminal(path: Path, chinese: Language) -> None:
    shown = render_console(translated(inspected(path), chinese), 80, myths=True, fold=True, language=chinese)
    typed = re.compile(r"^ *(?:bench |rknn\.|pip |custom_)")
    assert [line for line in shown.splitlines() if cell_len(line) > 80 and not typed.match(line)] == []


@pytest.mark.parametrize("name", ["digits.fp16.rknn", "digits.int8.rknn"])
def test_columns_stand_where_they_stand_in_english(name: str, chinese: Language) -> None:
    """The right edge of each table is the same: widths are those of the terminal, not of Python."""
    inspection = inspected(DEMO / name)
    english = render_console(inspection, 80).splitlines()
    told = render_console(translated(inspection, chinese), 80, language=chinese).splitlines()
    row = re.compile(r"B +\S+ +[NC]PU$")
    rows = [line for line in english if row.search(line)]
    assert rows
    assert [line for line in told if row.search(line)] == rows
    head = next(line for line in told if line.strip().startswith("层 "))
    assert cell_len(head) == len(rows[0])


def test_english_is_what_was_said() -> None:
    inspection = inspected(DEMO / "digits.fp16.rknn")
    assert translated(inspection, ENGLISH) is inspection


def test_json_stays_english_and_the_page_says_its_language(chinese: Language) -> None:
    inspection = inspected(DEMO / "digits.fp16.rknn")
    page = render_html(inspection, chinese)
    assert '<html lang="zh-CN">' in page
    assert "之所以有 14.6 MB" in page and "<h2>四个问题</h2>" in page
    assert '<html lang="en">' in render_html(inspection)
    assert "because 3 grouped convolutions" in render_json(inspection)
    data = page.split('id="data">')[1].split("</script>")[0]
    assert "because 3 grouped convolutions" in data and "之所以" not in data


def test_names_that_look_like_templates_stay_names(chinese: Language) -> None:
    said = say("{name} is of equal size", name="{size} {0} {name!r}")
    assert said == "{size} {0} {name!r} is of equal size"
    assert chinese.tell(said) == "{size} {0} {name!r} 大小相同"


def test_a_list_is_told_item_by_item(chinese: Language) -> None:
    said = listed([say("Causes"), "b"])
    assert said == "Causes, b"
    assert chinese.tell(said) == "原因、b"
    assert together(say("Nothing has to change."), say("")) == "Nothing has to change."


def test_a_known_failure_is_told_also_out_of_a_store(chinese: Language) -> None:
    """There its text is plain; one that names facts of a board stays English."""
    assert chinese.known("No memory left for the NPU") == "NPU 没有内存可用"
    assert ENGLISH.known("No memory left for the NPU") == "No memory left for the NPU"
    assert chinese.known("nobody knows this") == "nobody knows this"
    row = find_row(31)
    assert row is not None
    cause, advice = row.meaning(BoardState(driver_version="0.8.2", runtime_version="2.3.0"))
    assert cause.startswith("Driver 0.8.2 is too old for librknnrt 2.3.0")
    assert chinese.known(cause).startswith("驱动 0.8.2 对 librknnrt 2.3.0 来说太旧")
    assert "rknpu 0.9.8" in chinese.known(advice)


def test_what_is_not_translated_is_told_in_english(chinese: Language) -> None:
    assert chinese.tell(say("nobody said {this} before", this=3)) == "nobody said 3 before"
    assert chinese.tell("layers") == "layers"


@pytest.mark.parametrize(
    ("environment", "code"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN"}, "zh"),
        ({"LANG": "zh_SG.UTF-8"}, "zh"),
        ({"LANG": "zh_TW.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": ""}, "zh"),
        ({"LANG": "fr_FR.UTF-8"}, "en"),
        ({"LANG": "zh_CN.GB18030@x"}, "zh"),
        ({"LANG": "ñ"}, "en"),
    ],
)
def test_the_locale_says_which_language(environment: dict[str, str], code: str) -> None:
    forget()
    assert spoken("utf-8", environment).code == code


@pytest.mark.parametrize(
    ("encoding", "code"), [("utf-8", "zh"), ("gbk", "zh"), ("ascii", "en"), (None, "en")]
)
def test_english_is_spoken_where_characters_cannot_be_written(encoding: str | None, code: str) -> None:
    forget()
    assert spoken(encoding, {"LANG": "zh_CN.UTF-8"}).code == code
