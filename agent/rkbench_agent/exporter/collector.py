"""The collector: fresh readings per scrape, at most once a second."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import Callable, Dict, Iterable, List, Optional, Tuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from rkbench_agent import __version__
from rkbench_agent.board.lock import wide_lock_file
from rkbench_agent.exporter import board, npu
from rkbench_agent.exporter.rounds import GroupOutcome, Rounds, SensorGroup

#: Readings are kept for so long: however many scrape, the board is not read more often.
MIN_AGE_S = 1.0
_log = logging.getLogger("rkbench-exporter")


def board_groups(root: Path, cache: Path) -> Tuple[SensorGroup, ...]:
    """Return the sensor groups of the board under `root`, whose agents have their cache in `cache`."""
    wide = wide_lock_file(root)
    lock_files = [cache / "lock", *([wide] if wide else [])]
    return (
        SensorGroup("npu_load", npu.npu_load_metrics),
        SensorGroup("npu_clock", npu.npu_clock_metrics),
        SensorGroup("ddr", npu.ddr_metrics),
        SensorGroup("gpu", npu.gpu_metrics),
        SensorGroup("cpu", npu.cpu_metrics),
        SensorGroup("temperature", board.temperature_metrics),
        SensorGroup("memory", board.memory_metrics),
        SensorGroup("dma_buf", board.dma_buf_metrics),
        SensorGroup("info", board.BoardInfo()),
        SensorGroup("benchmark", board.Benchmark(lock_files)),
    )


class BoardCollector(Collector):
    """All metrics of a board. A group that the board does not have is left out, its success too."""

    def __init__(self, rounds: Rounds, digest: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self._rounds = rounds
        self._digest = digest
        self._clock = clock
        self._lock = threading.Lock()
        self._read_at = 0.0
        self._metrics: Optional[List[Metric]] = None
        self._faults: Dict[str, List[str]] = {}
        self._whys: Dict[str, str] = {}

    def collect(self) -> Iterable[Metric]:
        """Return the readings, at most a second old, and what the exporter itself has used."""
        with self._lock:
            start = self._clock()
            if self._metrics is None or start - self._read_at >= MIN_AGE_S:
                outcomes = self._rounds.read()
                self._read_at = self._clock()
                self._metrics = [*_merged(outcomes), _success(outcomes), _duration(self._read_at - start)]
                self._tell(outcomes)
            return [*self._metrics, *self._own()]

    def _tell(self, outcomes: Dict[str, GroupOutcome]) -> None:
        """Log which faults have come, which have gone, and why a group has nothing to tell."""
        for name, outcome in outcomes.items():
            if outcome.faults != self._faults.get(name, []):
                _log.warning("%s: %s", name, "; ".join(outcome.faults) or "can be read again")
            if outcome.why and outcome.why != self._whys.get(name):
                _log.info("%s: left out: %s", name, outcome.why)
            self._faults[name], self._whys[name] = outcome.faults, outcome.why

    def _own(self) -> List[Metric]:
        return [
            CounterMetricFamily(
                "process_cpu_seconds", "CPU time that the exporter has used.", value=time.process_time()
            ),
            InfoMetricFamily(
                "rkbench_exporter",
                "Version of the exporter.",
                value={"version": __version__, "digest": self._digest},
            ),
        ]


def _merged(outcomes: Dict[str, GroupOutcome]) -> List[Metric]:
    """Return the metrics of all groups; families that several groups share (governors) become one."""
    families: Dict[str, Metric] = {}
    for outcome in outcomes.values():
        for metric in outcome.metrics:
            if metric.name in families:
                families[metric.name].samples.extend(metric.samples)
            else:
                families[metric.name] = metric
    return list(families.values())


def _success(outcomes: Dict[str, GroupOutcome]) -> Metric:
    metric = GaugeMetricFamily(
        "rkbench_sensor_success",
        "1 where all sensors of a group could be read; absent where the board has none of them.",
        labels=["group"],
    )
    for name, outcome in sorted(outcomes.items()):
        if outcome.metrics or outcome.faults:
            metric.add_metric([name], int(not outcome.faults))
    return metric


def _duration(seconds: float) -> Metric:
    text = "How long the last reading of all sensors took."
    return GaugeMetricFamily("rkbench_scrape_duration_seconds", text, value=seconds)
