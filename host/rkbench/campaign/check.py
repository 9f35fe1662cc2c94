"""The doctor at work: reach a board, read what it is, judge it, and judge models against it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rkbench_agent.protocol import Environment, Hello

from rkbench.boards.doctor import diagnose, undiagnosed
from rkbench.boards.model import Board
from rkbench.catalogue.check import FAIL, OK, Check, worst
from rkbench.errors import BenchError, ModelError, UsageError
from rkbench.rknn.compatibility import BoardFacts, ModelFacts, check_model
from rkbench.rknn.targets import npu_generation
from rkbench.variants.preflight import model_facts, open_variant


class Reached(Protocol):
    """What the doctor needs of a conversation with a board."""

    @property
    def hello(self) -> Hello:
        """The agent's first message."""

    @property
    def environment(self) -> Environment:
        """What the board is."""


@dataclass(frozen=True)
class Examination:
    """What the doctor found; `environment` is None where no agent could start."""

    board: Board
    checks: tuple[Check, ...]
    environment: Environment | None = None

    @property
    def verdict(self) -> str:
        """The worst of all verdicts."""
        return worst(self.checks)


def examine(
    board: Board,
    models: Sequence[Path],
    connect: Callable[[], AbstractContextManager[Reached]],
    *,
    runtime: str | None = None,
    unix_ns: Callable[[], int] = time.time_ns,
) -> Examination:
    """Return the doctor's verdicts on `board`, and on each of `models` there.

    Raises UsageError for a model that is not there; all that is wrong with board or models is a check.
    """
    facts = [_read(path) for path in models]
    try:
        with connect() as session:
            environment, now_ns = session.environment, unix_ns()
            version = session.hello.agent_version
    except BenchError as error:
        return Examination(board, undiagnosed(error))
    started = Check("agent", OK, "agent", f"{version} started over SSH at {board.address}")
    checks = diagnose(environment, runtime or board.runtime, now_ns)
    here = board_facts(environment, board)
    of_models = [fact if isinstance(fact, tuple) else check_model(fact, here) for fact in facts]
    return Examination(
        board, (started, *checks, *(check for group in of_models for check in group)), environment
    )


def board_facts(environment: Environment, board: Board) -> BoardFacts:
    """Return what counts of a board when a model is to run there."""
    soc = environment.soc or board.soc
    return BoardFacts(soc, npu_generation(soc), environment.runtime_version, environment.driver_version)


def _read(path: Path) -> ModelFacts | tuple[Check, ...]:
    """Return what the file says of itself, or the check that says why it is no model to push."""
    try:
        with open_variant(path) as model:
            return model_facts(model)
    except UsageError:
        raise
    except ModelError as error:
        return (Check("model_file", FAIL, "file", error.message, error.hint, path.name),)
