"""The doctor at work: reach a board, read what it is, judge it, and judge models against it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from rkbench_agent.wire.board import Environment
from rkbench_agent.wire.caveats import INFORMATION, Caveat, caveat
from rkbench_agent.wire.messages import Hello
from rkbench_agent.wire.words import VIRTUAL

from rkbench.boards.doctor.checks import board_checks, unreached_checks
from rkbench.boards.model import Board
from rkbench.catalogue.check import FAIL, OK, WARN, Check, worst
from rkbench.errors import BenchError, BoardError, ModelError, UnfitModelError, UsageError
from rkbench.rknn.compatibility import BoardFacts, check_model
from rkbench.rknn.contents import FileInfo
from rkbench.rknn.targets import npu_generation
from rkbench.units import format_hertz
from rkbench.variants.preflight import open_variant

#: Warnings that say how the numbers are to be read, with the codes that they have as caveats.
DOUBTS = {
    "driver": "driver_old",
    "runtime": "runtime_ambiguous",
    "sensors": "sensors_missing",
    "model_toolkit": "runtime_version_mismatch",
    "model_container": "container_untried",
}
#: What caveats of the result itself, or the check of the SoC, say already.
KNOWN = ("governors", "clock", "holder", "model_npu")


class Reached(Protocol):
    """What the doctor needs of a conversation with a board."""

    @property
    def hello(self) -> Hello:
        """The agent's first message."""

    @property
    def environment(self) -> Environment:
        """What the board is."""

    @property
    def caveats(self) -> tuple[Caveat, ...]:
        """What the agent has doubted of the board so far."""


@dataclass(frozen=True)
class BoardChecks:
    """What the doctor found; `environment` is None where no agent could start."""

    board: Board
    checks: tuple[Check, ...]
    environment: Environment | None = None

    @property
    def verdict(self) -> str:
        """The worst of all verdicts."""
        return worst(self.checks)


def check_board(
    board: Board,
    models: Sequence[Path],
    connect: Callable[[], AbstractContextManager[Reached]],
    *,
    runtime: str | None = None,
    unix_ns: Callable[[], int] = time.time_ns,
) -> BoardChecks:
    """Return the doctor's verdicts on `board`, and on each of `models` there.

    Raises UsageError for a model that is not there; all that is wrong with board or models is a check.
    """
    facts = [_read(path) for path in models]
    try:
        with connect() as session:
            environment, now_ns = session.environment, unix_ns()
            version, doubts = session.hello.agent_version, session.caveats
    except BenchError as error:
        return BoardChecks(board, unreached_checks(error))
    where = "on this computer, which plays the board" if board.simulated else f"over SSH at {board.address}"
    started = Check("agent", OK, "agent", f"{version} started {where}")
    checks = board_checks(environment, runtime or board.runtime, now_ns)
    here = board_facts(environment, board)
    of_models = [fact if isinstance(fact, tuple) else check_model(fact, here) for fact in facts]
    return BoardChecks(
        board,
        (started, *map(_doubt, doubts), *checks, *(check for group in of_models for check in group)),
        environment,
    )


def _doubt(doubt: Caveat) -> Check:
    """Return what the agent itself says of the board: a doubt warns, information is only told."""
    verdict = OK if doubt.weight == INFORMATION else WARN
    return Check(doubt.code, verdict, "agent", doubt.message, doubt.advice)


@dataclass(frozen=True)
class PushChecks:
    """What the doctor says before a push: `notes` to tell, `caveats` by the model's file name ("": all).

    `fails` are the checks of the board that failed: the reason of a run that fails without a word.
    """

    notes: tuple[str, ...]
    caveats: dict[str, tuple[Caveat, ...]]
    fails: tuple[Check, ...]

    def of(self, file_name: str) -> tuple[Caveat, ...]:
        """Return the caveats of a model: the board's and its own."""
        return self.caveats.get("", ()) + self.caveats.get(file_name, ())


def check_for_push(
    environment: Environment, board: Board, runtime: str, models: Sequence[FileInfo], *, force: bool
) -> PushChecks:
    """Return what is to be said before a push, from what the agent has told anyway: no further round trip.

    Unless `force`, raises UnfitModelError for a model that cannot run there, BoardError where nothing can.
    """
    checks = board_checks(environment, runtime)
    here = board_facts(environment, board)
    if runtime == VIRTUAL:
        here = replace(here, runtime_version=None, driver_version=None)
    checks += tuple(check for model in models for check in check_model(model, here))
    for check in checks:
        if check.model and check.verdict == FAIL and not force:
            raise UnfitModelError(f"{check.model}: {check.subject} {check.found}", hint=check.fix)
        if not force and _proves_that_nothing_runs(check, environment):
            raise BoardError(
                f"board {board.name!r}: nothing can run there: {check.subject}: {check.found}",
                hint="\n".join(part for part in (check.fix, "to try all the same: --force") if part),
            )
    caveats: dict[str, tuple[Caveat, ...]] = {}
    for check in checks:
        if check.verdict == WARN and check.code in DOUBTS:
            code, text = DOUBTS[check.code], f"{check.subject}: {check.found}"
            caveats[check.model] = (*caveats.get(check.model, ()), caveat(code, text, check.fix))
    told = [check for check in checks if _is_told(check)]
    fails = tuple(check for check in checks if check.verdict == FAIL and not check.model)
    return PushChecks(tuple(map(_note, told)), caveats, fails)


def _proves_that_nothing_runs(check: Check, environment: Environment) -> bool:
    """Return whether a failed check leaves no way; a library or node may be where nobody looked.

    What a module's absence proves holds where the board has told which modules its Python has.
    """
    if check.verdict != FAIL or check.model:
        return False
    if check.code == "driver":
        return environment.npu_driver == "rocket"
    return check.code in ("lite", "numpy") and environment.modules is not None


def check_clock(environment: Environment, name: str, clock_hz: float | None) -> None:
    """Raise UsageError where the NPU of the board cannot be pinned at a clock that is asked for.

    A board that lists no clocks is believed to have any: its agent will see.
    """
    clocks = environment.npu_clocks_hz
    if clock_hz is not None and clocks and clock_hz not in clocks:
        told = ", ".join(format_hertz(clock) for clock in sorted(clocks))
        text = f"board {name!r} has no NPU clock of {format_hertz(clock_hz)}"
        raise UsageError(text, hint=f"it has {told}; --pin alone holds the highest")


def _is_told(check: Check) -> bool:
    return check.code not in KNOWN and (
        check.verdict == FAIL or (check.verdict == WARN and check.code not in DOUBTS)
    )


def _note(check: Check) -> str:
    about = f"{check.model}: " if check.model else ""
    fix = f" → {check.fix.splitlines()[0]}" if check.fix else ""
    return f"{check.verdict}: {about}{check.subject}: {check.found}{fix}"


def board_facts(environment: Environment, board: Board) -> BoardFacts:
    """Return what counts of a board when a model is to run there."""
    soc = environment.soc or board.soc
    return BoardFacts(soc, npu_generation(soc), environment.runtime_version, environment.driver_version)


def _read(path: Path) -> FileInfo | tuple[Check, ...]:
    """Return what the file says of itself, or the check that says why it is no model to push."""
    try:
        with open_variant(path) as model:
            return model.file
    except UsageError:
        raise
    except ModelError as error:
        return (Check("model_file", FAIL, "file", error.message, error.hint, path.name),)
