"""Sensor groups of the NPU and of everything else that has a clock: load, clocks, governors."""

from __future__ import annotations

import re
from typing import List, Optional, Tuple

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric

from rkbench_agent.board.sensors import parse_npu_load
from rkbench_agent.board.system_files import find_devfreq, read_ddr_clock
from rkbench_agent.exporter.files import Files

_DEVFREQ_LOAD = re.compile(r"(\d+)@\d+Hz\Z")


def npu_load(files: Files) -> List[Metric]:
    """Return the load of every core of the NPU; of all together where only devfreq tells it."""
    loads = _core_loads(files) or _devfreq_loads(files, "npu")
    if not loads:
        files.fault(files.root, "no load of the NPU can be read")
        return []
    metric = GaugeMetricFamily(
        "rkbench_npu_load_ratio", "Load of an NPU core over the last second, 0 to 1.", labels=["core"]
    )
    for core, load in loads:
        metric.add_metric([core], load)
    return [metric]


def npu_clock(files: Files) -> List[Metric]:
    """Return clock, highest clock and governor of the NPU. Read of devfreq: rknpu/freq would wake it up."""
    metrics = _devfreq(files, "npu", "NPU")
    if not metrics:
        files.fault(files.root / "sys/class/devfreq", "no NPU")
    return metrics


def gpu(files: Files) -> List[Metric]:
    """Return clock, highest clock and governor of the GPU, where it has a devfreq."""
    return _devfreq(files, "gpu", "GPU")


def ddr(files: Files) -> List[Metric]:
    """Return clock, highest clock, governor and load of the memory, as far as the board tells them."""
    metrics = _devfreq(files, "dmc", "memory", name="ddr")
    if not metrics:
        clock_hz = read_ddr_clock(files.root)
        return [] if clock_hz is None else [_clock("ddr", "memory", clock_hz)]
    for _, load in _devfreq_loads(files, "dmc"):
        metrics.append(
            GaugeMetricFamily("rkbench_ddr_load_ratio", "Load of the memory controller, 0 to 1.", value=load)
        )
    return metrics


def cpu(files: Files) -> List[Metric]:
    """Return clock, highest clock and governor of every cpufreq policy."""
    now = GaugeMetricFamily("rkbench_cpu_clock_hertz", "Clock of the CPUs of a policy.", labels=["policy"])
    top = GaugeMetricFamily(
        "rkbench_cpu_max_clock_hertz", "Highest clock that the policy allows.", labels=["policy"]
    )
    governors = _governors()
    for folder in sorted((files.root / "sys/devices/system/cpu/cpufreq").glob("policy*")):
        _add_hertz(now, folder.name, files.number(folder / "scaling_cur_freq"), 1000)
        _add_hertz(top, folder.name, files.number(folder / "scaling_max_freq"), 1000)
        _add_governor(governors, "cpu_" + folder.name, files.text(folder / "scaling_governor"))
    return [metric for metric in (now, top, governors) if metric.samples]


def _core_loads(files: Files) -> List[Tuple[str, float]]:
    for name, is_root_only in (("proc/rknpu/load", False), ("sys/kernel/debug/rknpu/load", True)):
        path = files.root / name
        text = files.text(path, is_root_only=is_root_only)
        if text is None:
            continue
        loads = parse_npu_load(text)
        if loads is not None:
            return [(str(core), load) for core, load in enumerate(loads)]
        files.fault(path, f"no load: {text[:40]!r}")
    return []


def _devfreq_loads(files: Files, device: str) -> List[Tuple[str, float]]:
    folder = find_devfreq(files.root, device)
    text = files.text(folder / "load") if folder else None
    if folder is None or not text:
        return []
    found = _DEVFREQ_LOAD.match(text)
    if found is None or int(found.group(1)) > 100:
        files.fault(folder / "load", f"no load: {text[:40]!r}")
        return []
    return [("all", int(found.group(1)) / 100)]


def _devfreq(files: Files, device: str, words: str, name: str = "") -> List[Metric]:
    folder = find_devfreq(files.root, device)
    if folder is None:
        return []
    name = name or device
    metrics: List[Metric] = []
    clock_hz, max_clock_hz = files.number(folder / "cur_freq"), files.number(folder / "max_freq")
    if clock_hz is not None:
        metrics.append(_clock(name, words, clock_hz))
    if max_clock_hz is not None:
        text = f"Highest clock that the {words} may have."
        metrics.append(GaugeMetricFamily(f"rkbench_{name}_max_clock_hertz", text, value=max_clock_hz))
    governors = _governors()
    _add_governor(governors, name, files.text(folder / "governor"))
    return [*metrics, *([governors] if governors.samples else [])]


def _clock(name: str, words: str, clock_hz: int) -> Metric:
    return GaugeMetricFamily(f"rkbench_{name}_clock_hertz", f"Clock of the {words}.", value=clock_hz)


def _governors() -> InfoMetricFamily:
    return InfoMetricFamily("rkbench_governor", "Governor of a clock.", labels=["part"])


def _add_governor(metric: InfoMetricFamily, part: str, governor: Optional[str]) -> None:
    if governor:
        metric.add_metric([part], {"governor": governor})


def _add_hertz(metric: GaugeMetricFamily, policy: str, value: Optional[int], factor: int) -> None:
    if value is not None:
        metric.add_metric([policy], value * factor)
