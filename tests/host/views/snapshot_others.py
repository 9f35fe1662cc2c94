"""Every branch of the doctor's, the boards', the fix's and the demo's views."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path

from made_runs import collected
from rkbench.boards.model import Board
from rkbench.campaign import compare_collected
from rkbench.campaign.outcome import Outcome
from rkbench.campaign.status import BoardStatus
from rkbench.catalogue.check import FAIL, OK, WARN, Check
from rkbench.demo.run import demo_data, read_facts
from rkbench.onnx import FixReport, Prediction
from rkbench.onnx.fixing import Change, Skipped
from rkbench.onnx.verify import Verification
from rkbench.views.boards import show_boards, show_states
from rkbench.views.demo import print_end, print_opening
from rkbench.views.doctor import print_checks
from rkbench.views.fix import describe_fix
from rkbench.views.terminal import make_console
from snapshot_push import failures
from view_runs import story

DESK = Board("desk", "192.168.1.20", user="root", soc="rk3588", tags=("lab", "big"))
SHELF = Board("shelf", "10.0.0.7")
VIRTUAL = Board("virtual", "virtual", soc="rk3588", simulated=True)
CHECKS = {
    "ready": (Check("soc", OK, "SoC", "rk3588", fix="nothing that is shown"),),
    "warned": (
        Check("governor", WARN, "governor", "ondemand", "echo performance > /sys/class/devfreq/npu/governor"),
        Check("model", OK, "container", "version 6", model="digits.rknn"),
    ),
    "failed": (
        Check("runtime", FAIL, "librknnrt", "not found", "install librknnrt.so\ninto /usr/lib"),
        Check(
            "model", FAIL, "target", "rk3568 on an rk3588 " + "and so on " * 12, "convert it again", "a.rknn"
        ),
    ),
    "nothing": (),
}
BEFORE = Prediction(
    "rk3588", "fp16", None, 3_340_000, {"FLOAT": 800_000}, (), 60_000_000, 1_600_000, 2_000_000,
    60_000_000, 30_000_000, 2_000_000, 1_000_000, ("a note about the network",),
    file_bytes_low=60_000_000, file_bytes_high=64_000_000,
)  # fmt: skip
AFTER = replace(BEFORE, onnx_bytes=4_000_000, weight_bytes=3_200_000)
FIXED = FixReport(
    Path("m.onnx"),
    Path("fixed.onnx"),
    (Change("Conv_19", "regroup", "merges 4 neighbouring groups", 4_000_000, 200_000),),
    (Skipped("Conv_7", "its weights are computed by nodes"),),
    BEFORE,
    AFTER,
    Verification(1e-6, 1e-3, 20240607, ("normal, mean 0, deviation 1", "uniform, 0 to 1")),
)


def other_snapshots() -> dict[str, Callable[[int], str]]:
    """Return what is rendered, by the name of its file."""
    found: dict[str, Callable[[int], str]] = {}
    for name, checks in CHECKS.items():
        board = VIRTUAL if name == "ready" else DESK
        found[f"doctor/{name}"] = lambda width, board=board, checks=checks: _checked(board, checks, width)
    found["boards/list"] = lambda _: _said(lambda: show_boards([DESK, SHELF], as_json=False))
    found["boards/status"] = lambda _: _said(lambda: show_states(states(), as_json=False))
    reports = {
        "changed": FIXED,
        "smaller_onnx": replace(FIXED, after=replace(AFTER, onnx_bytes=3_000_000)),
        "nothing": replace(FIXED, written=None, changes=(), verification=None),
    }
    for name, report in reports.items():
        found[f"fix/{name}"] = lambda _, report=report: "".join(f"{line}\n" for line in describe_fix(report))
    found["demo/story"] = lambda width: _demo(Outcome(*_story()), None, width)
    found["demo/narrow"] = lambda width: _demo(Outcome(*_story()), "/tmp/kept.sqlite", min(width, 72))
    found["demo/failed"] = lambda width: _demo(Outcome(*_failed()), None, width)
    return found


def states() -> list[BoardStatus]:
    """Return boards in every state that they can be in."""
    return [
        BoardStatus(DESK),
        BoardStatus(SHELF, fault="no SSH answer from 10.0.0.7:22"),
        BoardStatus(DESK, owner="anna@desk", reason="bench push", since_unix_s=1_796_000_000.0),
        BoardStatus(DESK, owner="anna@desk"),
    ]


def _checked(board: Board, checks: tuple[Check, ...], width: int) -> str:
    out = StringIO()
    print_checks(board, checks, make_console(out, width))
    return out.getvalue()


def _said(show: Callable[[], None]) -> str:
    out = io.StringIO()
    with redirect_stdout(out):
        show()
    return out.getvalue()


def _story() -> tuple[tuple[object, ...], object]:
    """Return the runs of the demo as they are collected, with their comparison."""
    runs, _ = story()
    items = tuple(collected(run) for run in runs)
    return items, compare_collected(items)


def _failed() -> tuple[tuple[object, ...], object]:
    names = ("digits.fp16", "digits.int8", "digits.regrouped.fp16")
    runs = [
        replace(run, variant=replace(run.variant, name=name))
        for run, name in zip(failures(), names, strict=True)
    ]
    items = tuple(collected(run) for run in runs)
    return items, compare_collected(items)


def _demo(outcome: Outcome, kept: str | None, width: int) -> str:
    out = StringIO()
    console = make_console(out, width)
    with demo_data() as data:
        facts = read_facts(data)
        print_opening(facts, console)
        print_end(outcome, facts, Path("DATA"), console, kept=kept)
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())
