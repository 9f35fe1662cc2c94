"""What `bench push` does with its options: from the board's name to the exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rkbench.boards.inventory import candidates, find_inventory, load_inventory
from rkbench.boards.model import Board
from rkbench.campaign import Conditions, Order, Outcome, run_campaign
from rkbench.errors import BoardBusyError, ConnectError, UsageError
from rkbench.results.events import Listener, Note
from rkbench.results.store import Store, default_path
from rkbench.session import open_session
from rkbench.units import parse_hertz
from rkbench.views.output import STDOUT, check_output
from rkbench.views.progress import make_progress
from rkbench.views.show import show_push


@dataclass(frozen=True)
class Wishes:
    """The options of `bench push`, as given."""

    models: list[Path]
    board: str
    golden: Path | None
    onnx: Path | None
    inputs: Path | None
    runtime: str | None
    cores: str
    iterations: int
    duration: float
    warmup: int
    scenario: str
    baseline: str | None
    interleave: bool
    json_file: str | None
    csv_file: str | None
    force: bool
    wait: float
    store: Path | None
    inventory: Path | None
    pin: bool = False
    npu_clock: str | None = None
    cool_below: float | None = None
    cool_limit: float = 300.0
    load_cycles: int = 0
    profile: bool = False


def push_and_show(wishes: Wishes) -> int:
    """Push, run, show; returns the exit code. What was measured is shown before an error is raised."""
    _check(wishes)
    boards = candidates(wishes.board, load_inventory(find_inventory(wishes.inventory)))
    order = make_order(wishes)
    with Store(wishes.store or default_path()) as store, make_progress(sys.stderr) as progress:
        outcome = run_on_first(order, boards, store, progress)
    show_push(outcome.runs, outcome.comparison, json_file=wishes.json_file, csv_file=wishes.csv_file)
    if outcome.interrupted:
        raise KeyboardInterrupt
    if outcome.store_error is not None:
        raise outcome.store_error
    return 1 if outcome.failed else 0


def run_on_first(order: Order, boards: Sequence[Board], store: Store, listener: Listener) -> Outcome:
    """Run `order` on the first of `boards` that answers and is free; the last one's error is raised."""
    for board in boards[:-1]:
        try:
            return run_campaign(order, board, partial(open_session, board), store, listener)
        except (ConnectError, BoardBusyError) as error:
            listener(Note(f"{error.message}; trying the next board"))
    return run_campaign(order, boards[-1], partial(open_session, boards[-1]), store, listener)


def make_order(wishes: Wishes) -> Order:
    """Return the order of the options; a golden is computed here where `--onnx` asks for it."""
    golden = wishes.golden
    if wishes.onnx is not None:
        from rkbench.variants.golden_onnx import golden_from_onnx

        golden = golden_from_onnx(wishes.onnx, wishes.inputs)
    return Order(
        models=tuple(wishes.models),
        golden=golden,
        runtime=wishes.runtime,
        core_mask=wishes.cores,
        iterations=wishes.iterations,
        duration_s=wishes.duration,
        warmup=wishes.warmup,
        baseline=wishes.baseline,
        force=wishes.force,
        wait_s=wishes.wait,
        interleave=wishes.interleave,
        scenario=wishes.scenario,
        conditions=Conditions(
            pin=wishes.pin or wishes.npu_clock is not None,
            npu_clock_hz=None if wishes.npu_clock is None else parse_hertz(wishes.npu_clock),
            cool_below_celsius=wishes.cool_below,
            cool_limit_s=wishes.cool_limit,
        ),
        load_cycles=wishes.load_cycles,
        profile=wishes.profile,
    )


def _check(wishes: Wishes) -> None:
    if wishes.golden is not None and wishes.onnx is not None:
        raise UsageError("--golden and --onnx both name the expected outputs", hint="give one of them")
    if wishes.inputs is not None and wishes.onnx is None:
        raise UsageError("--inputs needs --onnx", hint="or give --golden FILE.npz with its inputs")
    if wishes.json_file == STDOUT and wishes.csv_file == STDOUT:
        raise UsageError("--json - and --csv - cannot both have stdout", hint="give one of them a file")
    for target in (wishes.json_file, wishes.csv_file):
        if target is not None:
            check_output(target)
