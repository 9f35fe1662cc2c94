"""What is said on the line to an agent, for the log: its own words at -v, every message at -vv."""

from __future__ import annotations

import logging
import reprlib

from rkbench_agent.wire.messages import Hello, Log, Message

from rkbench.units import printable

LOG = logging.getLogger("rkbench.agent")
_SHORT = reprlib.Repr()
_SHORT.maxother = _SHORT.maxstring = 80


def log_received(board: str, message: Message) -> None:
    """Log a message of the agent: what it or a worker printed as text, any other as it is."""
    if isinstance(message, Log):
        LOG.info("%s %s: %s", board, _speaker(message), printable(message.text))
    elif isinstance(message, Hello):
        about = (board, message.digest[:12], message.agent_version, message.python_version, message.pid)
        LOG.info("%s: agent %s (%s) runs on Python %s, process %d", *about)
    elif LOG.isEnabledFor(logging.DEBUG):
        LOG.debug("%s < %s", board, _brief(message))


def log_sent(board: str, message: Message) -> None:
    """Log a message to the agent."""
    if LOG.isEnabledFor(logging.DEBUG):
        LOG.debug("%s > %s", board, _brief(message))


def log_stderr(board: str, line: str) -> None:
    """Log a line that the agent wrote beside its messages."""
    if line.strip():
        LOG.info("%s stderr: %s", board, printable(line))


def _speaker(message: Log) -> str:
    return message.stream if message.run is None else f"{message.run} {message.stream}"


def _brief(message: Message) -> str:
    """Return the message's kind, and those of its fields that are known, as far as they are short."""
    known = {name: value for name, value in vars(message).items() if value is not None}
    fields = ", ".join(f"{name}={_SHORT.repr(value)}" for name, value in known.items())
    return f"{type(message).__name__}({fields})"
