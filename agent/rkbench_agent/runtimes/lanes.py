"""Several contexts busy at once: a lane is one of them, a source says when its next call is due."""

from __future__ import annotations

from array import array
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Callable, Iterator, List, Optional, Protocol, Sequence

from rkbench_agent.errors import RuntimeFailureError

if TYPE_CHECKING:
    from rkbench_agent.runtimes.base import Runtime, StageTimes


def _int64() -> array[int]:
    return array("q")


@dataclass
class Lane:
    """One context and the calls that it made, in order, in nanoseconds.

    Where calls are scheduled, `start_ns` is when a call was due and `duration_ns` runs from there; else both
    are of the call itself.
    """

    runtime: Runtime
    start_ns: array[int] = field(default_factory=_int64)
    duration_ns: array[int] = field(default_factory=_int64)
    stages: List[Optional[StageTimes]] = field(default_factory=list)
    #: How late this side began calls for which it had waited, in all, and how many those were.
    late_ns: int = 0
    waits: int = 0
    #: Whose failure it is, where lanes are of several models.
    name: str = ""
    #: Given what every call returned, after its timed region; None: nobody looks.
    look: Optional[Callable[[Any], None]] = None

    @property
    def count(self) -> int:
        """How many calls it made."""
        return len(self.duration_ns)

    def add(self, start_ns: int, end_ns: int, stages: Optional[StageTimes]) -> None:
        """Take one call into account."""
        self.start_ns.append(start_ns)
        self.duration_ns.append(end_ns - start_ns)
        self.stages.append(stages)


class Source(Protocol):
    """Where the calls of all lanes come from; asked by several threads at once."""

    #: True where a call is due at a time of its own, however late a lane is.
    scheduled: bool

    def take(self, now_ns: int) -> Optional[int]:
        """Return when the next call is due, at or after `now_ns` or long before; None: there is none left."""
        ...


class ClosedLoop:
    """Every lane calls again as soon as it can, until enough was asked for: calls and time, both."""

    scheduled = False

    def __init__(self, iterations: int, duration_ns: int, start_ns: int, limit_ns: int = 0) -> None:
        self._iterations = iterations
        self._end_ns = start_ns + duration_ns
        self._limit_ns = start_ns + limit_ns if limit_ns else None
        self._taken = count()  # next() of it is one step, whatever the threads do

    def take(self, now_ns: int) -> Optional[int]:
        """Return `now_ns`; None at the end."""
        taken = next(self._taken)
        if taken >= self._iterations and now_ns >= self._end_ns:
            return None
        return None if self._limit_ns is not None and now_ns >= self._limit_ns else now_ns


class EveryLane:
    """Every lane calls again as soon as it can, until each of them made its calls and the time is over.

    So a fast lane goes on as long as a slow one beside it needs.
    """

    scheduled = False

    def __init__(self, lanes: Sequence[Lane], iterations: int, end_ns: int, limit_ns: int = 0) -> None:
        self._lanes = lanes
        self._iterations = iterations
        self._end_ns = end_ns
        self._limit_ns = limit_ns

    def take(self, now_ns: int) -> Optional[int]:
        """Return `now_ns`; None at the end."""
        if self._limit_ns and now_ns >= self._limit_ns:
            return None
        if now_ns >= self._end_ns and all(lane.count >= self._iterations for lane in self._lanes):
            return None
        return now_ns


class Arrivals:
    """Every call is due at a time of its own; the lane that is free first takes the next one."""

    scheduled = True

    def __init__(self, due_ns: Sequence[int]) -> None:
        self._due_ns = due_ns
        self._taken = count()

    def take(self, now_ns: int) -> Optional[int]:
        """Return when the next call is due, or was; None after the last."""
        del now_ns
        taken = next(self._taken)
        return self._due_ns[taken] if taken < len(self._due_ns) else None


class Engine(Protocol):
    """What lets lanes run beside each other: threads, or a model of cores on a virtual clock."""

    def run(self, lanes: Sequence[Lane], source: Source, beat: Callable[[], None]) -> None:
        """Let every lane call until the source has no more; `beat` is called after every call.

        Raises what the first lane raised that failed; the others have ended then.
        """
        ...

    def core_busy_ns(self) -> Optional[List[int]]:
        """Return how long each core worked during the last `run`; None where that is not known."""
        ...


@contextmanager
def blamed(name: str) -> Iterator[None]:
    """Let a failure of the runtime say whose it is; without a name, as it is."""
    try:
        yield
    except RuntimeFailureError as error:
        if not name:
            raise
        text = f"{name}: {error.message}"
        raise RuntimeFailureError(text, reason=error.reason, advice=error.advice) from error
