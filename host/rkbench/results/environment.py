"""The board's record in a result, from what the agent says of itself and of the board."""

from __future__ import annotations

from rkbench_agent.wire.board import Environment
from rkbench_agent.wire.messages import Hello

from rkbench.results.records import BoardRecord


def board_record(name: str, hello: Hello, environment: Environment) -> BoardRecord:
    """Return the board as it was before the run; what the agent could not read stays None."""
    return update_record(
        BoardRecord(
            name=name,
            agent_version=hello.agent_version,
            agent_digest=hello.digest or None,
            python_version=hello.python_version,
            clock_unix_ns=hello.unix_ns,
        ),
        environment,
    )


def update_record(board: BoardRecord, environment: Environment) -> BoardRecord:
    """Return `board` with what a (newer) `Environment` says; what it does not know stays as it was."""
    told = {key: value for key, value in vars(environment).items() if value is not None}
    if environment.unix_ns is not None:
        told["clock_unix_ns"] = environment.unix_ns
    return BoardRecord(**{field: told.get(field, value) for field, value in vars(board).items()})
