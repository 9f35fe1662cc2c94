"""When is enough known of the runs of a push? The host decides, from the latencies as they come in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import combinations
from typing import Protocol

from rkbench_agent.wire.messages import Latencies, Message
from rkbench_agent.wire.plan import RunSettings
from rkbench_agent.wire.words import SINGLE_STREAM

from rkbench.results.pairs import Turn, load_differences
from rkbench.stats.paired import (
    QUADS_OF_ONE_LOAD,
    UNITS_BEYOND,
    block_level,
    is_precise,
    joint_confidence,
    paired_difference,
)


class Stop(Protocol):
    """A rule; made anew for each push, with the settings of its plan."""

    def add(self, latencies: Latencies) -> Collection[str]:
        """Take a batch of a run into account; return the runs of which enough is known now."""


NewStop = Callable[[RunSettings], Stop]


def may_end_early(settings: RunSettings) -> bool:
    """Return whether a plan may end before all of its loads and quads: not where they were asked for.

    `settings` are as they were asked for: a plan has the number of loads that nobody named too. A precision
    asks for as many as it takes; loads beside it are the most.
    """
    asked = settings.loads is not None or settings.quads is not None
    return settings.scenario == SINGLE_STREAM and (settings.precision_percent is not None or not asked)


class PlanEnd:
    """Enough is known at the end of the plan, and not before."""

    def __init__(self, settings: RunSettings) -> None:
        del settings

    def add(self, latencies: Latencies) -> Collection[str]:
        """Say that it is never enough."""
        del latencies
        return ()


class Precise:
    """Enough is known once the interval of every difference is narrow enough, whatever it says.

    Looked at after each whole load of runs that take turns (each round, where there is one load), from twelve
    quads and seven loads on: half the width may be `precision_percent`, or half the smallest effect of
    interest, which always decides. What was narrow for the first time may be so by chance, and its interval
    would hold less often than it says: two units more are measured (Simons 1968), and looked at again.
    Nothing ends before every run has the iterations, time and blocks that were asked for.
    """

    def __init__(self, settings: RunSettings) -> None:
        percent = settings.precision_percent or settings.effect_percent / 2
        self._half_width = percent / 100
        self._effect = settings.effect_percent / 100
        self._settings = settings
        self._reached: int | None = None
        self._runs: dict[str, _Blocks] = {}

    def add(self, latencies: Latencies) -> Collection[str]:
        """Add a batch to its block, and judge where it ends a round."""
        if latencies.warmup or len(latencies.duration_ns) <= latencies.unread:
            return ()
        self._runs.setdefault(latencies.run, _Blocks()).add(latencies)
        return tuple(self._runs) if self._is_enough() else ()

    def _is_enough(self) -> bool:
        most = max(len(run) for run in self._runs.values())
        living = [run for run in self._runs.values() if len(run) > most - 2]  # the others have failed
        if len(living) < 2 or most % 2 or any(len(run) != most for run in living):
            return False
        if most // 2 < QUADS_OF_ONE_LOAD or not all(run.has_all_of(self._settings) for run in living):
            return False
        confidence = joint_confidence(len(living) - 1)
        turns = [run.turns() for run in living]
        known = []
        for one, two in combinations(turns, 2):
            known.append(self._units_known(one, two, confidence))
            if not known[-1]:
                return False
        self._reached = self._reached or min(known)
        return min(known) >= self._reached + UNITS_BEYOND

    def _units_known(self, one: Sequence[Turn], two: Sequence[Turn], confidence: float) -> int:
        """Return through how many units a difference is known well enough; 0 where it is not."""
        loads = load_differences(one, two)
        if not loads or (len(loads) > 1 and len(loads[-1]) < (self._settings.quads or 1)):
            return 0
        found = paired_difference(loads, effect=self._effect, confidence=confidence)
        return found.units if is_precise(found, sum(map(len, loads)), self._half_width) else 0


class _Blocks:
    """The timed blocks of a run, in order; the last one may be of several batches."""

    def __init__(self) -> None:
        self._number: int | None = None
        self._done: list[Turn] = []
        self._count = 0
        self._durations_ns: list[int] = []
        self._load = self._start_ns = self._iterations = self._duration_ns = 0

    def __len__(self) -> int:
        return self._count

    def add(self, batch: Latencies) -> None:
        if batch.block != self._number:
            self._done = self.turns()
            self._count += 1
            self._number, self._load, self._durations_ns = batch.block, batch.load, []
            self._start_ns = batch.start_ns[batch.unread]
        read_ns = batch.duration_ns[batch.unread :]
        self._durations_ns.extend(read_ns)
        self._iterations += len(read_ns)
        self._duration_ns += sum(read_ns)

    def has_all_of(self, settings: RunSettings) -> bool:
        """Return whether a run has been measured for as long as its settings say at least."""
        return (
            self._iterations >= settings.min_iterations
            and self._duration_ns >= settings.min_duration_s * 1e9
            and len(self) >= settings.min_blocks
        )

    def turns(self) -> list[Turn]:
        if not self._durations_ns:
            return self._done
        level = block_level(self._durations_ns)
        return self._done if level is None else [*self._done, Turn(self._load, self._start_ns, (), level)]


class Stopping:
    """Ends the timed part of each run as soon as a rule says so: `end` tells the agent, without waiting."""

    def __init__(self, stop: Stop, end: Callable[[str], None]) -> None:
        self._stop = stop
        self._end = end
        self._ended: set[str] = set()

    def take(self, message: Message) -> None:
        """Take a message of the stream; what is no latency changes nothing."""
        if isinstance(message, Latencies):
            for run in self._stop.add(message):
                if run not in self._ended:
                    self._ended.add(run)
                    self._end(run)
