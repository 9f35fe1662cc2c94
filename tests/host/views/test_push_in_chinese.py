"""What a push doubts and advises, in Chinese: also of a stored run, whose texts are plain."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rkbench.campaign import compare_collected
from rkbench.language.choice import ask, forget
from rkbench.results.collect import Collected
from rkbench.results.latencies import RawLatencies
from rkbench.results.model import Failure, RunResult
from rkbench.views.push.console import print_push
from rkbench.views.report.markdown import render_report_markdown
from rkbench.views.report.page import render_page
from rkbench.views.terminal import make_console
from rkbench_agent.wire.caveats import Caveat, caveat
from view_runs import story

STORED = (
    caveat(
        "governor",
        "NPU governor rknpu_ondemand: clocks may follow the load",
        "--pin; or as root there: for d in /sys/class/devfreq/*.npu; do echo performance > $d/governor; done",
    ),
    caveat(
        "max_duration_reached", "measuring ended", "give it more time: --max-duration 60, or leave it away"
    ),
    caveat("drift", "latency drifted", "hold the clocks still (--pin), or measure longer (--duration 40)"),
    Caveat("catalogue_45", "Three cores were asked for, two were used", "Push with --cores 0-1 on rk3576"),
    caveat("not_scored", "metric f: it failed", "look at what my own function says of it"),
)


@pytest.fixture(autouse=True)
def _in_chinese() -> Iterator[None]:
    ask("zh")
    yield
    forget()


def shown(runs: list[RunResult], width: int) -> str:
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    collected = [Collected(run, RawLatencies(), ()) for run in runs]
    print_push(runs, compare_collected(collected), make_console(out, width))
    out.seek(0)
    return out.read()


@pytest.mark.parametrize("width", [80, 140])
@pytest.mark.parametrize("count", [1, 6])
def test_stored_advice_is_told_within_the_width(count: int, width: int) -> None:
    run = replace(story()[0][0], caveats=STORED)
    runs = [
        replace(run, id=f"r-{i:02}", variant=replace(run.variant, name=f"variant{i}")) for i in range(count)
    ]
    text = shown(runs, width)
    assert [line for line in text.splitlines() if cell_len(line) > width] == []
    plain = "".join(text.split())
    for told in (
        "NPU的调频策略是rknpu_ondemand：频率可能随负载变化→",
        "→--pin；或者在板子上以root执行：fordin/sys/class/devfreq/*.npu;doecho",
        "→延长测量时间：--max-duration60，或者去掉这个选项",
        "→固定频率（--pin），或者测久一点（--duration40）",
        "要求用三个核，只用了两个→在rk3576上推送时用--cores0-1",
        "→lookatwhatmyownfunctionsaysofit",
    ):
        assert told in plain
    assert "latency p50" in text or "p50" in text


def test_what_an_agent_advises_against_a_failure_is_told() -> None:
    failure = Failure("load", "missing", "no", "put librknnrt.so of the toolkit's version into /usr/lib")
    run = replace(story()[0][0], failure=failure, partial=True)
    assert "→ 把与工具包同版本的 librknnrt.so 放到 /usr/lib" in shown([run], 100)


def test_a_report_says_what_to_do_in_chinese_and_its_data_stay() -> None:
    run = replace(story()[0][0], caveats=STORED)
    collected = [Collected(run, RawLatencies(), ())]
    page = render_page(collected, compare_collected(collected))
    doubts = page.split('<ol class="caveats" lang="zh-CN">')[1].split("</ol>")[0]
    assert "→ 固定频率（--pin），或者测久一点（--duration 40）" in doubts
    assert "or measure longer (--duration 40)" in page.split('type="application/json"')[1]
    markdown = render_report_markdown(collected, compare_collected(collected))
    assert "要求用三个核，只用了两个 → 在 rk3576 上推送时用" in markdown


def test_a_report_in_english_says_so() -> None:
    forget()
    run = replace(story()[0][0], caveats=STORED)
    collected = [Collected(run, RawLatencies(), ())]
    page = render_page(collected, compare_collected(collected))
    assert '<ol class="caveats" lang="en">' in page
