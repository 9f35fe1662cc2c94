"""After a push was cut off or failed: what can still be found out, and put into the failure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from rkbench_agent.wire.messages import Refused
from rkbench_agent.wire.words import BUSY, CANCELLED, CONNECTION, INTERRUPTED, LOAD, START

from rkbench.campaign.check import Reached
from rkbench.catalogue import Diagnosis
from rkbench.catalogue.check import Check
from rkbench.catalogue.rows import TAIL, find_row
from rkbench.errors import BenchError, BoardBusyError, BoardError, ConnectionLostError, ProtocolError
from rkbench.results.collect import Collected
from rkbench.results.model import Failure

UNANSWERED = Failure(
    CONNECTION, CANCELLED, "the agent ended the plan without a word on this run", "push it again"
)
#: In these stages a run fails for what the board lacks.
_EARLY = (START, LOAD)


def describe_interrupt(error: KeyboardInterrupt) -> Failure:
    """Return what ended the runs: the signal that `error` names, Ctrl-C where it names none."""
    how = error.args[0] if error.args else "Ctrl-C"
    return Failure(
        CONNECTION, INTERRUPTED, f"interrupted by {how}; what was measured before it is kept", "push it again"
    )


def describe_cut(
    error: ConnectionLostError | ProtocolError,
    boot_id: str | None,
    connect: Callable[[], AbstractContextManager[Reached]],
) -> Failure:
    """Return why the runs ended: the link's error, and whether the board rebooted (one new login)."""
    advice = error.hint or "check power and network, then push again: what the board has is not sent again"
    told, more = _ask_again(boot_id, connect) if isinstance(error, ConnectionLostError) else ("", "")
    return Failure(CONNECTION, CANCELLED, error.message + told, more or advice)


def _ask_again(
    boot_id: str | None, connect: Callable[[], AbstractContextManager[Reached]]
) -> tuple[str, str]:
    """Return what to add to the message, and the advice where it is known better now."""
    if boot_id is None:
        return "", ""
    try:
        with connect() as session:
            now = session.environment.boot_id
    except BenchError:
        return "; the board does not answer now: it may be off, or on its way up again", ""
    if now is None:
        return "; the board answers again", ""
    if now == boot_id:
        return "; the board answers again and has not rebooted: the network or the agent was cut off", ""
    advice = (
        "what was measured before it is kept; why it rebooted: journalctl -k -b -1 there (or a serial"
        " console); often the power supply, heat, or an over-clocked NPU"
    )
    return "; the board has REBOOTED meanwhile (its boot id changed)", advice


def add_doctor(collected: Collected, fails: Sequence[Check]) -> Collected:
    """Return a run that failed early without a known message, with what the doctor had against the board."""
    failure = collected.run.failure
    if (
        failure is None
        or failure.stage not in _EARLY
        or not fails
        or failure.reason in (CANCELLED, INTERRUPTED)
    ):
        return collected
    if any(map(_says_why, failure.diagnoses)):
        return collected
    found = tuple(
        Diagnosis(
            None, "fatal", f"{check.subject}: {check.found}", check.fix, "bench boards check", check.found
        )
        for check in fails
    )
    failure = replace(failure, diagnoses=(*found, *failure.diagnoses))
    return replace(collected, run=replace(collected.run, failure=failure))


def _says_why(diagnosis: Diagnosis) -> bool:
    """Return whether it is the reason of a failure, not a doubt beside it nor a tail that follows any."""
    row = find_row(diagnosis.number) if diagnosis.number else None
    return diagnosis.severity != "warning" and not (row and row.rank == TAIL)


def refusal(refused: Refused) -> BoardError:
    """Return what a refusal means of a plan that had not begun."""
    kind = BoardBusyError if refused.reason == BUSY else BoardError
    return kind(refused.message, hint=refused.advice)


def late_refusal(refused: Refused) -> ProtocolError:
    """Return what a refusal means of a plan that had begun: what was measured is kept."""
    return ProtocolError(f"the agent refused the plan while it ran: {refused.message}", hint=refused.advice)
