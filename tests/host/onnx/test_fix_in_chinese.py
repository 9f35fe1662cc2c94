"""`bench fix` in Chinese: every line of its report, with the numbers and names of the English; JSON stays."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from rkbench.language.choice import FOLDERS
from rkbench.language.language import Language, load
from rkbench.onnx import fix
from rkbench.onnx.rewrites import ALL
from rkbench.views.fix import describe_fix

DATA = Path(__file__).parents[2] / "data"
SAMPLES = ("chshuffle6.onnx", "dw_dilated.onnx", "dwm_c512_m2.onnx", "g1_c512_cpg4.onnx")
WORDS = re.compile(r"\b(?:the|of|is|are|and|with|that|its|for|not|which|one|as)\b")


@pytest.fixture(scope="module")
def chinese() -> Language:
    return load("zh", FOLDERS["zh"])


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("target", ["rk3588", "rk3568"])
def test_a_report_is_told_whole(name: str, target: str, chinese: Language, tmp_path: Path) -> None:
    report = fix(DATA / "models" / name, target, "int8", tmp_path / "fixed.onnx")
    english, told = describe_fix(report), describe_fix(report, chinese)
    assert len(english) == len(told)
    for line, text in zip(english, told, strict=True):
        assert re.search("[\u4e00-\u9fff]", text), text
        assert not WORDS.search(text.replace(str(tmp_path), "")), text
        assert Counter(re.findall(r"\d+", line)) == Counter(re.findall(r"\d+", text)), (line, text)
    assert "之" not in json.dumps(report.to_json(), ensure_ascii=False)


def test_what_was_written_is_told_with_its_proof(chinese: Language, tmp_path: Path) -> None:
    report = fix(DATA / "models" / "g1_c512_cpg4.onnx", "rk3588", "fp16", tmp_path / "fixed.onnx")
    told = describe_fix(report, chinese)
    assert re.fullmatch(
        r"\S+：128 组，每组 4 个通道 -> 16 组，每组 32 个（regroup；预测 [\d.]+ MB -> \d+ kB）", told[0]
    )
    assert any("正态分布，均值 0，标准差 1；均匀分布，0 到 1；均匀分布，0 到 255" in line for line in told)
    assert f"已写入 {report.written}" in told
    assert {change.rewrite for change in report.changes} <= {rewrite.name for rewrite in ALL}
