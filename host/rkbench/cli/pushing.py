"""What `bench push` does with its options: from the board's name to the exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rkbench.boards.inventory import candidates, find_inventory, load_inventory
from rkbench.boards.model import Board
from rkbench.campaign import Outcome, PushOptions, run_campaign
from rkbench.errors import BoardBusyError, ConnectError, UsageError
from rkbench.runs.events import Listener, Note
from rkbench.session import open_session
from rkbench.store.sqlite import Store, default_path
from rkbench.views.output import STDOUT, check_output
from rkbench.views.push.progress import make_progress
from rkbench.views.push.show import show_push


@dataclass(frozen=True)
class Expected:
    """From where the expected outputs are computed, if they are: an ONNX, and the inputs for it."""

    onnx: Path | None = None
    inputs: Path | None = None


def push_and_show(
    options: PushOptions,
    board: str,
    *,
    expected: Expected,
    json_file: str | None,
    csv_file: str | None,
    store: Path | None,
    inventory: Path | None,
) -> int:
    """Push, run, show; returns the exit code. What was measured is shown before an error is raised."""
    _check(options, expected, (json_file, csv_file))
    boards = candidates(board, load_inventory(find_inventory(inventory)))
    options = _with_golden(options, expected)
    with Store(store or default_path()) as opened, make_progress(sys.stderr) as progress:
        outcome = run_on_first(options, boards, opened, progress)
    show_push(outcome.runs, outcome.comparison, json_file=json_file, csv_file=csv_file)
    if outcome.interrupted:
        raise KeyboardInterrupt
    if outcome.store_error is not None:
        raise outcome.store_error
    return 1 if outcome.failed else 0


def run_on_first(options: PushOptions, boards: Sequence[Board], store: Store, listener: Listener) -> Outcome:
    """Run `options` on the first of `boards` that answers and is free; the last one's error is raised."""
    for board in boards[:-1]:
        try:
            return run_campaign(options, board, partial(open_session, board), store, listener)
        except (ConnectError, BoardBusyError) as error:
            listener(Note(f"{error.message}; trying the next board"))
    return run_campaign(options, boards[-1], partial(open_session, boards[-1]), store, listener)


def _with_golden(options: PushOptions, expected: Expected) -> PushOptions:
    """Return `options` with a golden that is computed here, where `--onnx` asks for it."""
    if expected.onnx is None:
        return options
    from rkbench.variants.golden_onnx import golden_from_onnx

    return replace(options, golden=golden_from_onnx(expected.onnx, expected.inputs))


def _check(options: PushOptions, expected: Expected, targets: tuple[str | None, str | None]) -> None:
    if options.golden is not None and expected.onnx is not None:
        raise UsageError("--golden and --onnx both name the expected outputs", hint="give one of them")
    if expected.inputs is not None and expected.onnx is None:
        raise UsageError("--inputs needs --onnx", hint="or give --golden FILE.npz with its inputs")
    if targets == (STDOUT, STDOUT):
        raise UsageError("--json - and --csv - cannot both have stdout", hint="give one of them a file")
    for target in targets:
        if target is not None:
            check_output(target)
