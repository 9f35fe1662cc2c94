"""`--lang`, and the locale: answers in Chinese, and all else as it was."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from bench_command import BENCH, Done
from rkbench.cli.app import app
from rkbench.errors import UsageError
from rkbench.language.choice import spoken

MODEL = str(Path(__file__).parents[2] / "data" / "models" / "mb_gap7_rk3588_i8.rknn")
ENGLISH, CHINESE = "is healthy: of its 630 kB", "没有异常：共 630 kB，其中权重"


def bench(*arguments: str, **environment: str) -> Done:
    told = {key: value for key, value in os.environ.items() if not re.match("LC_|LANG", key)}
    done = subprocess.run(
        [sys.executable, "-c", BENCH, *arguments],
        env={**told, "PYTHONUTF8": "1", **environment},
        capture_output=True,
        check=False,
    )
    return Done(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode())


@pytest.mark.parametrize(
    "arguments",
    [
        ("inspect", MODEL, "--lang", "zh"),
        ("inspect", MODEL, "--lang=zh_CN"),
        ("--lang", "zh", "inspect", MODEL),
        ("inspect", MODEL, "--lang", "zh", "--input-shape", "x=1"),
    ],
)
def test_answers_are_told_in_the_language_that_is_asked_for(arguments: tuple[str, ...]) -> None:
    done = bench(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert CHINESE in done.stdout
    assert "四个问题" in done.stdout


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"LANG": "zh_CN.UTF-8"}, CHINESE),
        ({"LC_ALL": "zh_CN.UTF-8", "LANG": "en_US.UTF-8"}, CHINESE),
        ({"LC_MESSAGES": "zh_CN.UTF-8"}, CHINESE),
        ({"LANG": "xx_YY.UTF-8"}, ENGLISH),
        ({"LANG": "C"}, ENGLISH),
        ({}, ENGLISH),
        ({"LANG": "zh_CN.UTF-8", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}, ENGLISH),
    ],
)
def test_without_the_option_the_locale_decides(environment: dict[str, str], words: str) -> None:
    done = bench("inspect", MODEL, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert words in done.stdout


def test_a_known_failure_is_told_with_its_cure() -> None:
    done = bench("explain", "31", "--lang", "zh")
    assert done.returncode == 0
    assert "• 致命：驱动拒绝或丢失了一个任务" in re.sub(" +", " ", done.stdout)
    words = "".join(done.stdout.split())
    assert words.startswith("故障目录第31条") and "（故障目录第31条）" in words
    assert "更新驱动和工具包（rknpu0.9.8）" in words
    assert "这块…有…内存" in words or "boot" not in words
    document = json.loads(bench("explain", "31", "--lang", "zh", "--json", "-").stdout)
    assert document["diagnoses"][0]["cause"].startswith("The driver refused or lost a job")


def test_what_a_log_tells_is_counted_in_the_language(tmp_path: Path) -> None:
    log = tmp_path / "boot.log"
    log.write_text("E RKNN: failed to open rknpu module\nrknpu: Initialized rknpu 0.9.3\nit failed: 77\n")
    words = "".join(bench("explain", str(log), "--lang", "zh").stdout.split())
    assert f"{log}：3行日志中有1条已知消息" in words
    assert "日志里的板子信息：驱动0.9.3•致命：打不开NPU设备" in words
    assert "未能识别、但像是出了问题的内容（1行）：│itfailed:77" in words


def test_a_prediction_is_told() -> None:
    done = bench("predict", MODEL, "--layers", "1", "--lang", "zh", COLUMNS="100")
    assert done.returncode == 0
    assert "预测 rknn_run 在 rk3588（1.00 GHz）上用单核运行的时间" in done.stdout
    assert "各层预测时间（21 层中的前 1 层；全部：--layers all）" in done.stdout
    assert not re.search(r"predicted|bound|band", done.stdout)


def test_the_option_goes_before_the_locale() -> None:
    assert ENGLISH in bench("inspect", MODEL, "--lang", "en", LANG="zh_CN.UTF-8").stdout


def test_json_and_errors_are_english_in_any_language() -> None:
    document = json.loads(bench("inspect", MODEL, "--json", "-", "--lang", "zh").stdout)
    assert ENGLISH in document["sentence"]
    done = bench("inspect", "no.rknn", LANG="zh_CN.UTF-8")
    assert done.returncode == 2
    assert "bench: cannot read no.rknn: No such file" in done.stderr


@pytest.mark.parametrize(
    "arguments", [("inspect", MODEL, "--lang", "fr"), ("--lang", "fr", "inspect", MODEL)]
)
def test_an_unknown_language_is_refused_with_those_that_there_are(arguments: tuple[str, ...]) -> None:
    done = bench(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "bench: --lang fr: no such language\n  → there are: en, zh\n"


def test_a_language_is_asked_for_one_command_alone() -> None:
    with pytest.raises(UsageError, match="No such file"):
        app(["--lang", "zh", "explain", "no-such-log"], standalone_mode=False)
    assert spoken("utf-8", {}).code == "en"
