"""Reads all sensor groups, each with a limit: a file whose read hangs must not hang the scrape."""

from __future__ import annotations

import logging
import queue
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Sequence, Tuple

from prometheus_client.metrics_core import Metric

from rkbench_agent.board.system_files import SystemFiles

#: For each group; the first reading of what the board is may take a second on a slow one.
READ_LIMIT_S = 2.0
_log = logging.getLogger("rkbench-exporter")


@dataclass(frozen=True)
class SensorGroup:
    """Sensors that are read together; `read` may leave out what the board does not have."""

    name: str
    read: Callable[[SystemFiles], List[Metric]]


class GroupOutcome(NamedTuple):
    """What one group gave, and what was wrong with it; `why` there is nothing, where that is no fault."""

    metrics: List[Metric]
    faults: List[str]
    why: str = ""


class Rounds:
    """Reads `groups` of the board under `root`, again and again."""

    def __init__(self, root: Path, groups: Sequence[SensorGroup], limit_s: float = READ_LIMIT_S) -> None:
        self._root = root
        self._groups = tuple(groups)
        self._limit_s = limit_s
        self._stuck: Dict[str, _Lane] = {}

    def read(self) -> Dict[str, GroupOutcome]:
        """Return the outcome of every group. One that still hangs is not read again."""
        self._stuck = {name: lane for name, lane in self._stuck.items() if lane.is_alive()}
        outcomes = {name: _hangs(self._limit_s) for name in self._stuck}
        rest = tuple(group for group in self._groups if group.name not in self._stuck)
        while rest:
            rest = self._run_lane(rest, outcomes)
        return outcomes

    def _run_lane(
        self, groups: Tuple[SensorGroup, ...], outcomes: Dict[str, GroupOutcome]
    ) -> Tuple[SensorGroup, ...]:
        """Read `groups` in a thread; return those that are left when it hangs."""
        lane = _Lane(self._root, groups)
        lane.start()
        for index, group in enumerate(groups):
            try:
                outcomes[group.name] = lane.outcomes.get(timeout=self._limit_s)
            except queue.Empty:
                lane.abandoned = True
                self._stuck[group.name] = lane
                outcomes[group.name] = _hangs(self._limit_s)
                return groups[index + 1 :]
        return ()


class _Lane(threading.Thread):
    """Reads groups one after the other until it is abandoned."""

    def __init__(self, root: Path, groups: Tuple[SensorGroup, ...]) -> None:
        super().__init__(name="sensors", daemon=True)
        self._root = root
        self._todo = groups
        self.abandoned = False
        self.outcomes: queue.SimpleQueue[GroupOutcome] = queue.SimpleQueue()

    def run(self) -> None:
        for group in self._todo:
            if self.abandoned:
                return
            self.outcomes.put(_read(group, SystemFiles(self._root)))


def _read(group: SensorGroup, files: SystemFiles) -> GroupOutcome:
    try:
        metrics = group.read(files)
        return GroupOutcome(metrics, files.faults, "" if metrics or files.faults else files.why())
    except Exception:  # noqa: BLE001 - a bug in one group: said in the log, and the other sensors are still exported
        _log.exception("group %s", group.name)
        return GroupOutcome([], [*files.faults, "an error of the exporter: see its log"])


def _hangs(limit_s: float) -> GroupOutcome:
    return GroupOutcome([], [f"a read hangs for more than {limit_s:g} s"])
