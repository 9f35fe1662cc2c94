"""A failed run on a terminal: what happened, what it means, what to do; nothing harmless."""

from __future__ import annotations

import io
from dataclasses import replace

from rkbench.campaign import compare_collected
from rkbench.results.collect import Collected
from rkbench.results.diagnosis import diagnosed
from rkbench.results.latencies import RawLatencies
from rkbench.results.model import Failure
from rkbench.views.push.console import print_push
from rkbench.views.terminal import make_console
from view_runs import story


def shown(failure: Failure) -> list[str]:
    """Return the lines that are shown of a run that failed so."""
    runs, _ = story()
    run = replace(runs[0], failure=failure, partial=True)
    out = io.StringIO()
    print_push([run], compare_collected([Collected(run, RawLatencies(), ())]), make_console(out, 100))
    lines = out.getvalue().splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("✗"))
    return [line.strip() for line in lines[start:] if line.strip()]


def test_the_cause_stands_with_its_row_and_its_advice_below_the_log() -> None:
    tail = (
        "E RKNN: [00:00:01.000] query RKNN_QUERY_INPUT_DYNAMIC_RANGE error, rknn model is static shape type",
        "E RKNN: [00:00:01.000] failed to open rknpu module, need to insmod rknpu dirver!",
    )
    told = Failure("load", "missing", "RKNNLite.init_runtime returned -1", log_tail=tail)
    lines = shown(diagnosed(told, ()))
    assert lines[0].endswith("failed in load (missing)")
    assert lines[1] == "RKNNLite.init_runtime returned -1"
    assert lines[2] == "│ E RKNN: [00:00:01.000] failed to open rknpu module, need to insmod rknpu dirver!"
    assert lines[3].startswith("= ")
    assert "(catalogue 13)" in " ".join(lines)
    assert not any("DYNAMIC_RANGE" in line for line in lines)


def test_without_a_known_message_the_agents_advice_is_shown() -> None:
    lines = shown(Failure("inference", "hang", "nothing happened for 30 s", "look at dmesg of the board"))
    assert "→ look at dmesg of the board" in lines
    assert not any(line.startswith("= ") for line in lines)
