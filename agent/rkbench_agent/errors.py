"""All that the agent raises for what can be expected to go wrong.

    AgentError
     ├─ HostGoneError        the host's end of the line is closed, silent, or no longer reads
     ├─ CancelledError       the host cancelled the plan
     ├─ RunFailedError       a run cannot go on; carries the message for the host
     ├─ StorageError         the cache cannot do it; `kind` says what
     ├─ PinRefusedError      the clocks cannot be set; nothing is half set
     ├─ RuntimeFailureError  the runtime cannot go on
     ├─ ContainerError       the file is nothing that a runtime could run
     ├─ NpzError             the file is no .npz that can be read row by row, or does not fit
     ├─ ShapeMismatchError   output and expectation do not have the same number of values
     ├─ ServiceError         the exporter cannot be kept running
     └─ ListenError          an address cannot be listened on

`wire.codec.WireError` stands with the codec: the host catches it too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rkbench_agent.wire.words import RUNTIME_ERROR

if TYPE_CHECKING:
    from rkbench_agent.wire.messages import Failed


class AgentError(Exception):
    """Something expected went wrong; the text says what."""


class HostGoneError(AgentError):
    """The host's end of the line is closed, silent, or no longer reads."""


class CancelledError(AgentError):
    """The host cancelled the plan."""


class RunFailedError(AgentError):
    """A run cannot go on; carries the message for the host."""

    def __init__(self, failed: Failed) -> None:
        super().__init__(failed.message)
        self.failed = failed


class StorageError(AgentError):
    """The cache cannot do it: `kind` is one of the words below, `details` are JSON values.

    no_space    the file system (or a quota) has no room
    too_large   the login (ulimit -f) or the file system takes no file of this size
    read_only   the cache folder cannot be made or written
    prefix      the partial is not the beginning of the file; it was deleted, start over
    damaged     the bytes do not have the digest; they were deleted
    cut         the stream ended early; what came is kept
    stalled     nothing came for too long; what came is kept
    busy        another upload of the same file is running
    usage       the arguments make no sense
    """

    def __init__(self, kind: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.kind = kind
        self.details = details


class PinRefusedError(AgentError):
    """The clocks cannot be set. `command` is what a person could run to set them, or empty."""

    def __init__(self, message: str, command: str = "") -> None:
        super().__init__(message)
        self.command = command


class RuntimeFailureError(AgentError):
    """The runtime cannot go on. `reason` is a word of `wire.words.REASONS`."""

    def __init__(self, message: str, *, reason: str = RUNTIME_ERROR, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.advice = advice


class ContainerError(AgentError):
    """The file is nothing that the runtime could run; the text is as librknnrt would print it."""


class NpzError(AgentError):
    """The file is no .npz that can be read row by row, or does not fit; the text says why."""


class ShapeMismatchError(AgentError):
    """Output and expectation do not have the same number of values."""


class ServiceError(AgentError):
    """The exporter cannot be kept running; the message says why."""


class ListenError(AgentError):
    """The address cannot be listened on; the message says why."""
