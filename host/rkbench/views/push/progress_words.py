"""The events of a push in words: a line for each file and stage, and what goes on at any moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rkbench_agent.wire.words import INFERENCE, LOAD, WARMUP

from rkbench.results.events import (
    Busy,
    Doing,
    Ended,
    Event,
    Measuring,
    Note,
    Outlook,
    Sending,
    Step,
    Waiting,
)
from rkbench.results.model import STOPPED, RunResult
from rkbench.units import format_about_seconds, format_bytes, format_celsius, format_seconds

CELSIUS = "celsius"
_STAGES = {LOAD: "loading", WARMUP: "warming up"}


def line_of(event: Event) -> tuple[str, str] | None:
    """Return what the line of an event is about, and the line; None where it has none.

    What a line is about is told once, but steps: they are told anew where another was between.
    """
    return _LINES[type(event)](event)


def activity_of(event: Event) -> str | None:
    """Return what goes on from an event on; None where it says nothing of that."""
    return _ACTIVITIES[type(event)](event)


#: What ends so much later than was foretold has more than a moment left.
_OVERDUE_S = 3.0


def outlook_text(left_s: float, *, at_most: bool) -> str:
    """Return how long all runs take yet."""
    if left_s < -_OVERDUE_S:
        return "longer than foretold"
    if left_s < 1:
        return "a moment left"
    return f"{'at most' if at_most else 'about'} {format_about_seconds(left_s)} left"


def stage_of(event: Measuring) -> str:
    """Return what a run does, in words."""
    return _STAGES.get(event.stage, event.stage.replace("_", " "))


def ended_text(runs: Sequence[RunResult]) -> str:
    """Return the line of runs that ended well one after the other."""
    if len(runs) == 1:
        return _ended(Ended(runs[0]))[1]
    return f"  {len(runs)} runs: done{' (simulated)' * any(run.simulated for run in runs)}"


def amount_of(event: Measuring) -> str:
    """Return how far a run is within its stage; "" where it is one step."""
    if event.unit == CELSIUS:
        return f"{format_celsius(event.done)}, waiting for less than {format_celsius(event.total)}"
    if event.stage == LOAD:
        return f"load {event.done + 1:g} of {event.total:g}" if event.total > 1 else ""
    if event.unit in ("s", "seconds"):
        return f"{event.done:.1f} of {event.total:g} s"
    return f"{event.done:g} of {event.total:g} {event.unit}" if event.total > 1 else ""


def _step(event: Step) -> tuple[str, str]:
    return "step", f"{event.text} ..."


def _note(event: Note) -> tuple[str, str]:
    return f"note {event.text}", f"  note: {event.text}"


def _waiting(event: Waiting) -> tuple[str, str]:
    key = f"wait {event.owner} {event.place}"
    return key, f"  the board is held by {event.owner}; waiting{event.turn}"


def _busy(event: Busy) -> tuple[str, str]:
    most = f"at most {event.limit_s:g} s for it to calm down"
    return f"busy {event.name}", f"  {event.name}: {event.board} is busy ({event.what}), waiting {most}"


def _sending(event: Sending) -> tuple[str, str]:
    return f"send {event.name}", f"  {event.name}: sending {format_bytes(event.total_bytes)}"


def _measuring(event: Measuring) -> tuple[str, str] | None:
    if event.stage == INFERENCE and not event.done:
        return None  # who reads this in a log takes it for something that is measured
    if event.unit == CELSIUS:
        much = amount_of(event)
    elif event.stage == LOAD or event.total <= 1:
        much = ""
    else:
        seconds = event.unit in ("s", "seconds")
        much = f"{event.total:g} {'s' if seconds else event.unit}"
    key = f"{event.stage} {event.name}"
    return key, f"  {event.name}: {stage_of(event)}{', ' * bool(much)}{much}"


def _ended(event: Ended) -> tuple[str, str]:
    run = event.run
    if run.verdict == STOPPED:
        return run.id, f"  {run.variant.name}: stopped"
    if run.failure is not None:
        return run.id, f"  {run.variant.name}: failed in {run.failure.stage}: {run.failure.message}"
    p50 = f", p50 {format_seconds(run.latency.p50_s)}" if run.latency else ""
    cores = f", cores {run.plan.core_mask}" if run.plan.core_mask != "auto" else ""
    return run.id, f"  {run.variant.name}{cores}: done{p50}{' (simulated)' if run.simulated else ''}"


def _active(event: Measuring) -> str:
    much = amount_of(event)
    detail = f"{event.detail} at " if event.unit == CELSIUS and event.detail else ""
    return f"{event.name}: {stage_of(event)}{', ' * bool(much)}{detail}{much}"


def _sent(event: Sending) -> str:
    return f"sending {event.name}, {format_bytes(event.sent_bytes)} of {format_bytes(event.total_bytes)}"


def _nothing(_: Event) -> None:
    return None


_LINES: dict[type, Callable[[Any], tuple[str, str] | None]] = {
    Step: _step,
    Doing: _nothing,
    Note: _note,
    Waiting: _waiting,
    Busy: _busy,
    Sending: _sending,
    Measuring: _measuring,
    Outlook: _nothing,
    Ended: _ended,
}
_ACTIVITIES: dict[type, Callable[[Any], str | None]] = {
    Step: lambda event: event.text,
    Doing: lambda event: event.text,
    Note: _nothing,
    Waiting: lambda event: f"the board is held by {event.owner}, waiting{event.turn}",
    Busy: lambda event: f"{event.board} is busy ({event.what}), waiting",
    Sending: _sent,
    Measuring: _active,
    Outlook: _nothing,
    Ended: lambda event: f"{event.run.variant.name} is stored",
}
