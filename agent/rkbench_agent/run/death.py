"""How a worker ended, as a `Failed` message."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import List, Optional

from rkbench_agent.board.system_files import read_text
from rkbench_agent.run.log_scan import find_cause
from rkbench_agent.wire.messages import Failed
from rkbench_agent.wire.words import CRASH, OUT_OF_MEMORY, RUNTIME_ERROR

_OOM_ADVICE = "the model does not fit into the board's memory: free some, or push fewer variants at once"


def oom_kills(root: Path) -> Optional[int]:
    """Return how many processes the kernel has killed for memory since boot; None if it does not tell."""
    for line in (read_text(root / "proc/vmstat") or "").splitlines():
        name, _, value = line.partition(" ")
        if name == "oom_kill" and value.isdigit():
            return int(value)
    return None


def describe_death(
    run: str, stage: str, code: int, log_tail: List[str], oom_before: Optional[int], oom_after: Optional[int]
) -> Failed:
    """Return why a worker that nobody stopped is gone; `code` is Popen's (negative: a signal)."""
    cause = find_cause(log_tail)
    said = f": {cause.line}" if cause.line else ""
    if code >= 0:
        message = f"the worker left with exit code {code} during {stage}{said}"
        return Failed(run, stage, CRASH, message, cause.advice, exit_code=code, log_tail=log_tail)
    name = signal_name(-code)
    if name == "SIGKILL" and oom_before is not None and oom_after is not None and oom_after > oom_before:
        message = f"the kernel killed the worker for memory during {stage}"
        return Failed(run, stage, OUT_OF_MEMORY, message, _OOM_ADVICE, name, log_tail=log_tail)
    advice = cause.advice
    if name == "SIGKILL":
        advice = "somebody killed it, or the kernel for memory: look at dmesg"
    message = f"the worker was killed by {name} during {stage}{said}"
    return Failed(run, stage, CRASH, message, advice, name, log_tail=log_tail)


def describe_failure(
    run: str, stage: str, message: str, reason: str, advice: str, log_tail: List[str]
) -> Failed:
    """Return what a worker said of its failure, with what the runtime's log adds."""
    cause = find_cause(log_tail)
    if reason == RUNTIME_ERROR and cause.line:
        if cause.line not in message:
            message = f"{message}: {cause.line}"
        reason = cause.reason or reason
    return Failed(run, stage, reason, message, advice or cause.advice, log_tail=log_tail)


def signal_name(number: int) -> str:
    """Return SIGSEGV for 11."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
