"""Every branch of the views of a night, from nights made by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import StringIO

from rkbench.results.night import (
    BoardReport,
    CellBegun,
    CellEnded,
    CellResult,
    ConditionChange,
    Fault,
    GateResult,
    Night,
    Told,
)
from rkbench.stats.gates import CANNOT_TELL, FAIL, NOT_MEASURED, PASS
from rkbench.stats.judging import Judgement
from rkbench.store.base import Baseline
from rkbench.views.nightly.console import print_baselines, print_night
from rkbench.views.nightly.junit import render_junit
from rkbench.views.nightly.markdown import render_markdown
from rkbench.views.nightly.progress import NightProgress

SLOW = GateResult(
    "p50 within 5%",
    "p50",
    "s",
    FAIL,
    (
        Judgement(FAIL, 0.00451, 0.0041, 10.0, 9.6, 10.4),
        Judgement(FAIL, 0.0045, 0.0041, 9.8, 9.4, 10.1),
    ),
    "measured twice",
)
ONCE = replace(SLOW, state=PASS, measurements=(SLOW.measurements[0], Judgement(PASS, 0.0042, 0.0041, 2.4)))
KEPT = GateResult("size <= 10MB", "size", "B", PASS, (Judgement(PASS, 2_009_389.0),))
BROKEN = GateResult("cosine >= 0.999", "cosine", "", FAIL, (Judgement(FAIL, 0.31, 0.99998, -69.0),))
NAN = GateResult("cosine >= 0.999", "cosine", "", FAIL, (Judgement(FAIL, float("nan")),))
VAGUE = GateResult(
    "p50 within 5%", "p50", "s", CANNOT_TELL, (Judgement(CANNOT_TELL, 0.004, 0.004),), "too few"
)
ABSENT = GateResult(
    "top1 >= 99%", "top1_agreement", "", NOT_MEASURED, (Judgement(NOT_MEASURED, detail="no golden"),)
)
SILENT = replace(ABSENT, measurements=(Judgement(NOT_MEASURED),))
CHANGES = (ConditionChange("runtime", "2.3.0", "2.3.2", True), ConditionChange("model", None, "bbb", False))
CELL = CellResult(
    "digits", "digits.fp16", "rock", "default", gates=(SLOW, BROKEN, NAN), baseline="b-01", p50_s=0.0045,
    changes=CHANGES, compared="paired", beside=("n-01",),
)  # fmt: skip
UNDECIDED = CellResult(
    "digits", "digits.int8", "rock", "long", gates=(VAGUE, ABSENT, SILENT), baseline="b-02",
    retried="the link broke", simulated=True,
)  # fmt: skip
FINE = CellResult(
    "digits", "digits.int8", "shelf", "default", gates=(KEPT, ONCE), p50_s=0.0042, simulated=True,
    compared="history", not_paired="the model is its baseline's own",
)  # fmt: skip
GONE = CellResult(
    "digits", "digits.int8", "closet", "default",
    gates=(replace(ABSENT, measurements=(Judgement(NOT_MEASURED, detail="gone"),)),),
    fault=Fault("board 'closet': no SSH answer\x1b[31m", "check power | network"),
)  # fmt: skip
CRASHED = replace(GONE, variant="digits.fp16", fault=Fault("the worker crashed", ""))
BOARDS = (BoardReport("closet", fault=GONE.fault),)
NIGHT = Night(
    "night-1", "lab", "f", 1_796_000_000.0, 1_796_000_100.0, cells=(CELL, UNDECIDED, FINE, GONE, CRASHED)
)
RED = replace(NIGHT, boards=BOARDS, problems=("the store is full",))
NIGHTS = {
    "red": RED,
    "interrupted": replace(NIGHT, cells=(GONE,), interrupted=True),
    "green": replace(NIGHT, cells=(replace(FINE, simulated=False, gates=(KEPT,), p50_s=None),)),
    "simulated": replace(NIGHT, cells=(FINE,)),
}
BASELINES = (
    Baseline(
        "lab", "digits.fp16", "rock", "default", False, "b-01", "night-1", 1_796_000_000.0, "a new driver"
    ),
    Baseline("lab", "digits.int8", "virtual", "default", True, "b-02", "night-1", 1_796_000_000.0, ""),
)


def nightly_snapshots() -> dict[str, Callable[[int], str]]:
    """Return what is rendered, by the name of its file."""
    found: dict[str, Callable[[int], str]] = {}
    for name, night in NIGHTS.items():
        found[f"nightly/{name}"] = lambda _, night=night: _printed(lambda out: print_night(night, out))
        found[f"nightly/{name}_markdown"] = lambda _, night=night: render_markdown(night)
        found[f"nightly/{name}_junit"] = lambda _, night=night: render_junit(night)
    found["nightly/progress"] = lambda _: _progress()
    found["nightly/baselines"] = lambda _: _printed(lambda out: print_baselines(BASELINES, out))
    found["nightly/no_baselines"] = lambda _: _printed(lambda out: print_baselines((), out))
    return found


def _printed(render: Callable[[StringIO], None]) -> str:
    out = StringIO()
    render(out)
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def _progress() -> str:
    out = StringIO()
    progress = NightProgress(out)
    for event in [Told("rock", "connected"), Told("", "five cells"), Told("", "five cells")]:
        progress(event)
    for done, cell in enumerate(NIGHT.cells, 1):
        progress(CellBegun(cell.board, cell.variant, cell.plan))
        progress(
            CellEnded(cell, done, len(NIGHT.cells), 60.0 * (len(NIGHT.cells) - done) if done > 1 else None)
        )
    return out.getvalue()
