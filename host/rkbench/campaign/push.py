"""One push as it is asked for: a board by one of its names, what to expect of the models, a store."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rkbench_agent.wire.words import SINGLE_STREAM

from rkbench.boards.labgrid.provider import SCHEME
from rkbench.boards.model import Board
from rkbench.boards.provider import Boards, First, Hold, open_boards
from rkbench.campaign.duration import Cost
from rkbench.campaign.interfaces import Prepare
from rkbench.campaign.noise import with_noise_floor
from rkbench.campaign.outcome import Outcome
from rkbench.campaign.run import run_campaign
from rkbench.campaign.settings import PushOptions, check_push, check_wait
from rkbench.conversion.words import ConvertWords, onnx_among
from rkbench.errors import BenchError, BoardBusyError, BoardQuarantinedError, ConnectError, UsageError
from rkbench.results.events import Doing, Hear, Listener, Note, deaf, ignore
from rkbench.session import Sessions
from rkbench.store import Store, default_address, open_store
from rkbench.store.addresses import without_password
from rkbench.variants.variant import prepare_variants

LOG = logging.getLogger("rkbench.push")
#: Among so many of a model's last runs one is looked for that tells what a call costs.
_RECENT = 20


@dataclass(frozen=True)
class Expected:
    """From where the expected outputs are computed, if they are: an ONNX, and the inputs for it."""

    onnx: Path | None = None
    inputs: Path | None = None
    input_shapes: tuple[str, ...] = ()
    """Of inputs that the ONNX leaves open: `NAME=SIZES`."""
    is_converted: bool = False
    """Whether the ONNX is what is converted and pushed, too."""


@dataclass(frozen=True)
class PushWhere:
    """Where a push goes: the boards that were named, who holds them, the address of the store; `first` says
    which of them comes first for who wants one."""

    found: tuple[Board, ...]
    hold: Hold
    store: str
    first: First


def named_boards(
    words: str, store: str | None = None, inventory: Path | None = None, wait_s: float | None = None
) -> PushWhere:
    """Return all boards that any of `words` (with commas between) can mean, each once.

    A place of labgrid's that somebody has is waited for for `wait_s`, see `open_boards`.
    Raises InventoryError and UsageError.
    """
    address, boards = store or default_address(), waiting_boards(inventory, wait_s)
    LOG.info("boards from %s, results to %s", boards.path, without_password(address))
    found = {board.name: board for word in _parted(words) for board in boards.find(word)}
    return PushWhere(tuple(found.values()), boards.hold, address, boards.first)


def waiting_boards(inventory: Path | None, wait_s: float | None) -> Boards:
    """Return the boards that can be named, for who waits so long for one; raises UsageError."""
    check_wait(wait_s or 0.0)
    return open_boards(inventory, wait_s)


def refuse_several(words: str, why: str) -> None:
    """Raise UsageError where `words` names more than one board for what is done on one; `why` says why."""
    if len(_parted(words)) > 1:
        raise UsageError(
            f"--board {words}: {why}",
            hint="name one board, or a SoC or tag (the first that is free); then bench push to the others",
        )


def _parted(words: str) -> list[str]:
    """Return the words between commas; those of a place's tags (`labgrid:a=b,c=d`) belong together."""
    parted: list[str] = []
    for word in map(str.strip, words.split(",")):
        if parted and parted[-1].startswith(SCHEME) and "=" in word and ":" not in word:
            parted[-1] += f",{word}"
        else:
            parted.append(word)
    return parted


def push_to(
    board: str,
    options: PushOptions,
    expected: Expected,
    listener: Listener,
    *,
    conversion: ConvertWords | None = None,
    store: str | None = None,
    inventory: Path | None = None,
    wait_s: float | None = None,
    hear: Hear = deaf,
) -> Outcome:
    """Run `options` on the first free one of the boards that `board` names, and keep every run in `store`.

    `hear` takes every message of the board as it comes; `wait_s` is for `named_boards`.
    Raises BenchErrors for what stops it before anything was measured; what fails later is in the outcome.
    """
    where = named_boards(board, store, inventory, wait_s)
    return push_to_first(where, options, expected, listener, conversion=conversion, hear=hear)


def push_to_first(
    where: PushWhere,
    options: PushOptions,
    expected: Expected,
    listener: Listener,
    *,
    conversion: ConvertWords | None = None,
    hear: Hear = deaf,
) -> Outcome:
    """Run `options` on the first free one of the boards that were named, as `push_to` does."""
    conversion = conversion or ConvertWords()
    expected = checked(options, expected, conversion)
    options = with_golden(options, expected, listener)
    options = without_onnx(options, conversion, where.found[0], listener)
    if len(where.found) > 1:  # what no board can run is said before one is waited for
        check_push(options)
        prepare_variants(options.models, golden=options.golden, force=options.force)
    with open_store(where.store) as opened, where.first(where.found) as found:
        return run_on_first(options, found, where.hold, opened, listener, hear)


def checked(options: PushOptions, expected: Expected, conversion: ConvertWords) -> Expected:
    """Return what is expected, an ONNX that is pushed included; raises UsageError for what contradicts."""
    expected = with_own_onnx(options, replace(expected, input_shapes=tuple(conversion.input_shape or ())))
    check_expected(options, expected)
    return expected


def run_on_first(
    options: PushOptions,
    found: Sequence[Board],
    hold: Hold,
    store: Store,
    listener: Listener,
    hear: Hear = deaf,
) -> Outcome:
    """Run `options` on the first of the boards that answers and is free; the last one's error is raised."""
    for board in found[:-1]:
        try:
            return run_on(options, board, hold, store, listener, hear)
        except (ConnectError, BoardBusyError, BoardQuarantinedError) as error:
            listener(Note(f"{error.message}; trying the next board"))
    return run_on(options, found[-1], hold, store, listener, hear)


def run_on(
    options: PushOptions,
    board: Board,
    hold: Hold,
    store: Store,
    listener: Listener,
    hear: Hear = deaf,
    *,
    prepare: Prepare = prepare_variants,
) -> Outcome:
    """Run `options` on `board` and keep every run in `store`; raises what `run_campaign` does."""
    with Sessions(hold) as sessions:
        known = partial(_known_cost, store, board.name)
        connect = partial(sessions.open, board)
        outcome = run_campaign(
            options, board, connect, store, listener, prepare=prepare, known=known, hear=hear
        )
        return with_noise_floor(outcome, store, keep=options.noise_floor)


def with_own_onnx(options: PushOptions, expected: Expected) -> Expected:
    """Return `expected`; where nothing else does, the one ONNX that is pushed tells what to expect."""
    own = onnx_among(options.models)
    if len(own) != 1 or expected.onnx is not None or options.golden is not None:
        return expected
    return replace(expected, onnx=own[0], is_converted=True)


def without_onnx(options: PushOptions, words: ConvertWords, board: Board, listener: Listener) -> PushOptions:
    """Return `options` with every ONNX converted for `board`; raises UsageError for words about none."""
    if onnx_among(options.models):
        from rkbench.campaign.converting import with_conversions  # a push of .rknn files needs no converter

        return with_conversions(options, words, board, listener)
    if words.is_said:
        hint = "recipes and calibration go with bench push MODEL.onnx"
        raise UsageError("there is no ONNX to convert", hint=hint)
    return options


def check_expected(options: PushOptions, expected: Expected) -> None:
    """Raise UsageError where what is expected is named twice, or inputs are that nothing needs."""
    if options.golden is not None and expected.onnx is not None:
        raise UsageError("--golden and --onnx both name the expected outputs", hint="give one of them")
    if expected.inputs is not None and expected.onnx is None:
        raise UsageError("--inputs needs --onnx", hint="or give --golden FILE.npz with its inputs")


def with_golden(options: PushOptions, expected: Expected, listener: Listener = ignore) -> PushOptions:
    """Return `options` with a golden that is computed here, where an ONNX is to tell what is expected.

    What is made is told, and where it is kept.
    """
    if expected.onnx is None:
        return options
    from rkbench.onnx.input_shapes import parse_input_shapes
    from rkbench.variants.golden_expected import golden_from_onnx

    shapes = parse_input_shapes(expected.input_shapes)
    listener(Doing(f"computing what {expected.onnx.name} expects with onnxruntime"))
    try:
        golden = golden_from_onnx(
            expected.onnx, expected.inputs, shapes, lambda told: listener(Note(f"golden: {told}"))
        )
        return replace(options, golden=golden)
    except BenchError:
        if expected.is_converted and expected.onnx.is_file():
            from rkbench.conversion.wanted import wanted_inputs

            wanted_inputs(expected.onnx, shapes)  # knows better than onnxruntime what is wrong with the file
        raise


def _known_cost(store: Store, board: str, digest: str) -> Cost | None:
    """Return what a model cost when it last ran by itself on a board; None where it did not.

    Latencies of other scenarios hold what others took meanwhile.
    """
    for row in store.history(model=digest, board=board, limit=_RECENT):
        call_s, load_s = row.measures["latency_p50_s"], row.measures["load_duration_s"]
        if row.scenario == SINGLE_STREAM and call_s is not None and load_s is not None:
            return Cost(call_s, load_s)
    return None
