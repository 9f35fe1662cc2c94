"""The exceptions of the host, in one picture.

BenchError                  a failure that a user can act on: message, hint, exit code
├── UsageError              the command line or a file named on it is wrong           (exit 2)
│   └── SettingError        a setting of a run that no board can have; names it by its word
├── ModelError              a model file cannot be read; names offset and field
│   ├── UnfitModelError     a model of another kind than is wanted, or for another SoC (exit 2)
│   ├── NotModelledError    what a model asks of the NPU is more than ours can compute
│   └── NoModelError        the model that was named is not there                     (exit 2)
├── GoldenError             a golden cannot be read or made
│   ├── UnfitGoldenError    it does not fit its model                             (exit 2)
│   └── NoGoldenError       what a golden is to be made of or read from is not there  (exit 2)
├── InventoryError          bench.toml is wrong                                       (exit 2)
│   └── NoBoardError        no board has the name that was given
├── ConnectError            no SSH session with the board
│   ├── HostKeyError        the board's host key is unknown or has changed
│   ├── LabgridError        labgrid's coordinator does not give a place
│   │   └── NoCoordinatorError  it does not answer
│   └── AuthenticationError no key was accepted
├── ConnectionLostError     a session ended or fell silent in the middle
├── BoardError              the board answered, but cannot do the job
│   ├── BoardBusyError      another push holds the board
│   ├── BoardQuarantinedError  it failed too often, and is taken out until it passes or is released
│   ├── HookError           a command before or after the use of a board failed
│   ├── NoSpaceError        the board's cache does not have the room
│   └── NoPythonError       no Python that the agent could run in is there
├── NightlyBusyError        another nightly runs with the same store
├── CommentError            no comment on a merge request came about; a night is what it is all the same
├── ToolkitError            the environment of rknn-toolkit2 is broken
│   ├── NoToolkitError      it is not installed                                       (exit 2)
│   └── ConversionError     it did not convert a model; says in which stage, and what is known of it
├── ProtocolError           the agent said something that is no message of ours
└── StoreError              the result store cannot be read or written
    ├── NoStoreError        no store is where one was asked for                       (exit 2)
    ├── StoreUnavailableError  the server of it does not answer, or not for this role
    └── DocumentError       one entry of it is damaged; the others can be read

Everything else is a bug and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class BenchError(Exception):
    """An expected failure: `message` names the thing, `hint` names the next step.

    `cli.main` prints both and exits with `exit_code`; nobody else prints them.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(BenchError):
    """The command line, or a file that it names, is wrong."""

    exit_code = 2


class SettingError(UsageError):
    """A setting has a value that no board can have: `word` as suites spell it, `problem` goes behind it."""

    def __init__(self, word: str, problem: str, *, hint: str = "") -> None:
        super().__init__(f"{word} {problem}", hint=hint)
        self.word = word
        self.problem = problem


class ModelError(BenchError):
    """A model file cannot be read: `offset` is the byte, `field` the name of what stands there."""

    def __init__(self, message: str, *, hint: str = "", offset: int | None = None, field: str = "") -> None:
        super().__init__(message, hint=hint)
        self.offset = offset
        self.field = field


class UnfitModelError(ModelError):
    """A model is whole, and of another kind than is wanted, or compiled for another SoC."""

    exit_code = 2


class NotModelledError(ModelError):
    """A model asks for what rkbench's model of the NPU does not do; the message names layer and field."""


class NoModelError(ModelError):
    """The model file that was named is not there."""

    exit_code = 2


class GoldenError(BenchError):
    """A golden cannot be read or made."""


class UnfitGoldenError(GoldenError):
    """A golden does not fit its model; the message shows both sides."""

    exit_code = 2


class NoGoldenError(GoldenError):
    """The golden, or what it is to be made of, is not there."""

    exit_code = 2


class InventoryError(BenchError):
    """The inventory, which is what was asked for, is wrong."""

    exit_code = 2


class NoBoardError(InventoryError):
    """No board of the inventory, and no other, has the name that was given."""


class ConnectError(BenchError):
    """No SSH session with the board came about."""


class HostKeyError(ConnectError):
    """The board's host key is unknown, or is not the recorded one."""


class LabgridError(ConnectError):
    """labgrid's coordinator does not do it."""


class NoCoordinatorError(LabgridError):
    """labgrid's coordinator does not answer."""


class AuthenticationError(ConnectError):
    """The board accepted none of the keys."""


class ConnectionLostError(BenchError):
    """A session broke off or fell silent; what had been measured before it is kept."""


class BoardError(BenchError):
    """The board answered, but cannot do the job as it is."""


class BoardBusyError(BoardError):
    """Another push holds the board."""


class BoardQuarantinedError(BoardError):
    """The board failed several times in a row and is taken out."""


class HookError(BoardError):
    """A command before or after the use of a board failed, or did not end."""


class NoSpaceError(BoardError):
    """The board's cache folder has no room for the file."""


class NoPythonError(BoardError):
    """The board's Python is not there, or is too old for the agent."""


class NightlyBusyError(BenchError):
    """Another nightly runs with the same store."""


class CommentError(BenchError):
    """No comment on a merge request came about; a night is what it is all the same."""


class ToolkitError(BenchError):
    """The environment of the vendor's converter is broken."""


class NoToolkitError(ToolkitError):
    """The vendor's converter is not installed: nothing was begun."""

    exit_code = 2


class ConversionError(ToolkitError):
    """The converter did not convert a model: `stage` says where it was, `log` holds its own words."""

    def __init__(self, message: str, *, hint: str = "", stage: str = "", log: Path | None = None) -> None:
        super().__init__(message, hint=hint)
        self.stage = stage
        self.log = log


class ProtocolError(BenchError):
    """The agent said something that is no message of this protocol; of `run`, where that much is known."""

    def __init__(self, message: str, *, hint: str = "", run: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.run = run


class StoreError(BenchError):
    """The result store cannot be read or written."""


class NoStoreError(StoreError):
    """There is no store where one was asked for."""

    exit_code = 2


class StoreUnavailableError(StoreError):
    """The server of the store cannot be reached, stalls, is full or refuses: what is to be kept waits."""


class DocumentError(StoreError):
    """One entry of the store is damaged: the message names it, and the others can be read."""


def choice_hint(word: str, known: Iterable[str]) -> str:
    """Return what was perhaps meant by `word`, or else all that is known."""
    import difflib  # only where something was mistyped

    words = list(dict.fromkeys(known))
    close = difflib.get_close_matches(word, words, 2)
    return f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(words) or 'none'}"
