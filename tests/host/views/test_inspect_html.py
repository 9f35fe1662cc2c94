"""The page of bench inspect: self-contained, escaped, and its numbers are those of the JSON."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from inspect_samples import MODELS, hostile_model, json_of, sample_inspection
from rkbench.inspection.inspect_file import Request, inspect_file
from rkbench.inspection.inspect_model import inspect_model
from rkbench.views.inspect.html import render_html

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Page(HTMLParser):
    """What the page says: elements with their attributes, and the text of each element by its id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text: dict[str, str] = {}
        self._open: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append((tag, attributes))
        if tag not in ("meta", "input", "br", "img", "link"):
            self._open.append((tag, attributes.get("id", "")))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        for _, name in self._open:
            if name:
                self.text[name] = self.text.get(name, "") + data

    def values(self, key: str, value: str) -> dict[str, int]:
        """Return the numbers of attribute `value` by attribute `key`."""
        return {a[key]: int(a[value]) for _, a in self.elements if key in a and value in a}

    def one(self, key: str) -> str:
        """Return the only value of an attribute."""
        (found,) = [a[key] for _, a in self.elements if key in a]
        return found


def dump_dom(page: Path, folder: Path) -> str:
    """Return the document as Chromium has it after its scripts have run."""
    if CHROMIUM is None:
        pytest.skip("no chromium: apt-get install chromium")
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        f"--user-data-dir={folder / 'profile'}", "--window-size=1280,900", "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    environment = {**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.xdist_group("chromium")
@pytest.mark.timeout(200)
@pytest.mark.parametrize("name", ["grouped_c64_g16_rk3588_fp", "dyn3_rk3588_fp"])
def test_the_numbers_in_the_browser_are_those_of_the_json(name: str, tmp_path: Path) -> None:
    inspection = sample_inspection(name)
    document = json_of(inspection)
    file = tmp_path / "page.html"
    file.write_text(render_html(inspection), encoding="utf-8")
    page = Page(dump_dom(file, tmp_path))
    assert page.one("data-ready") == "yes"
    assert page.text["sentence"] == document["sentence"]
    assert page.values("data-section", "data-bytes") == {k: v for k, v in document["sections"].items() if v}
    assert page.values("data-code", "data-bytes") == {c["code"]: c["bytes"] for c in document["causes"]}
    assert int(page.one("data-ordinary")) == document["ordinary"]["bytes"]
    assert int(page.one("data-memory")) == document["memory"]["total_bytes"]
    (found,) = [a for _, a in page.elements if a.get("id") == "found"]
    assert int(found["data-layers"]) == len(document["layers"])
    assert int(found["data-bytes"]) == sum(layer["total_bytes"] for layer in document["layers"])
    rows = [a for tag, a in page.elements if tag == "tr"]
    assert len(rows) == len(document["layers"]) + 1
    labels = [a["aria-label"] for tag, a in page.elements if tag == "button" and "aria-label" in a]
    assert labels[0].endswith(" 100.0 %")
    assert len(labels) > 8


@pytest.mark.xdist_group("chromium")
@pytest.mark.timeout(200)
def test_hostile_names_stay_text_in_the_browser(tmp_path: Path) -> None:
    with hostile_model() as model:
        inspection = inspect_model(model)
    file = tmp_path / "page.html"
    file.write_text(render_html(inspection), encoding="utf-8")
    dom = dump_dom(file, tmp_path)
    page = Page(dom)
    assert page.one("data-ready") == "yes"
    assert [tag for tag, _ in page.elements if tag == "img"] == []
    assert len([tag for tag, _ in page.elements if tag == "script"]) == 3
    assert "model.rknn · bench inspect" in dom
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)


def test_the_page_needs_nothing_from_elsewhere() -> None:
    text = render_html(sample_inspection("hybrid_some_rk3588"))
    assert re.findall(r"(?:src|href)\s*=", text) == []
    assert "http" not in text.split("</style>")[1].split("<script")[0]
    assert "default-src 'none'" in text


def test_the_answer_and_the_causes_are_there_without_scripts() -> None:
    inspection = sample_inspection("grouped_c64_g16_rk3588_fp")
    document = json_of(inspection)
    page = Page(render_html(inspection))
    assert page.text["sentence"] == document["sentence"]
    assert page.values("data-code", "data-bytes")["grouped_conv_dense"] == 138_240
    answers = [a["data-answer"] for _, a in page.elements if "data-answer" in a]
    assert answers == list(document["answers"])


def test_nothing_in_a_name_ends_the_data_or_the_markup() -> None:
    with hostile_model() as model:
        text = render_html(inspect_model(model))
    assert text.count("</script>") == 3
    assert "<img" not in text
    assert [tag for tag, _ in Page(text).elements if tag == "script"] == ["script", "script", "script"]


def test_a_prediction_has_a_page_too(tmp_path: Path) -> None:
    request = Request(MODELS / "dwm_c512_m2.onnx", target="rk3588", dtype="fp16")
    inspection = inspect_file(request)
    document = json_of(inspection)
    text = render_html(inspection)
    page = Page(text)
    assert page.text["sentence"] == document["sentence"]
    assert sum(tag == "tr" for tag, _ in page.elements) == len(document["onnx"]["nodes"]) + 1
    assert f"<pre>{document['onnx']['fix'][0]}</pre>" in text
    assert "in file</th>" not in text


def test_a_comparison_is_on_the_page() -> None:
    request = Request(MODELS / "mb_gap7_rk3588_i8.rknn", other=MODELS / "hybrid_some_rk3588.rknn")
    text = render_html(inspect_file(request))
    assert "<h2>Against hybrid_some_rk3588.rknn</h2>" in text
    row = "float layers inside an int8 model</td><td class=n>–</td><td class=n>136 kB</td><td class=n>+136 kB"
    assert row in text
    assert text.index('id="diff"') < text.index("<h2>Causes</h2>")
    assert '<th scope="col">ONNX node</th><th scope="col" class=n>this file</th>' in text
