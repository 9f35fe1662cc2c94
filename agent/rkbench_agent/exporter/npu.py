"""Sensor groups of the NPU and of everything else that has a clock: load, clocks, governors."""

from __future__ import annotations

from typing import Dict, List, Mapping, Optional

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric

from rkbench_agent.board.clocks import Devfreq, cpu_clocks, cpu_governors, cpu_max_clocks, ddr_clock_hz
from rkbench_agent.board.npu import ROCKET, npu_driver
from rkbench_agent.board.sensors import npu_core_loads
from rkbench_agent.board.system_files import SystemFiles


def npu_load_metrics(files: SystemFiles) -> List[Metric]:
    """Return the load of every core of the NPU, or nothing where only root may read it."""
    loads = npu_core_loads(files)
    if not loads:
        if not files.faults and _is_gone(files, Devfreq(files.root, "npu")):
            files.fault(files.root, "no load of the NPU can be read")
        return []
    text = "Load of an NPU core over the last second, 0 to 1."
    by_core = {str(core): load for core, load in enumerate(loads)}
    return _gauge_by("core", "rkbench_npu_load_ratio", text, by_core)


def npu_clock_metrics(files: SystemFiles) -> List[Metric]:
    """Return clock, highest clock and governor of the NPU. Read of devfreq: rknpu/freq would wake it up."""
    npu = Devfreq(files.root, "npu")
    if _is_gone(files, npu):
        files.fault(files.root / "sys/class/devfreq", "no NPU")
    return _devfreq_metrics(files, npu, "npu", "NPU")


def _is_gone(files: SystemFiles, npu: Devfreq) -> bool:
    """Tell whether the NPU that every board has is not to be seen: rocket tells neither clock nor load."""
    return not npu.is_there and npu_driver(files.root) != ROCKET


def gpu_metrics(files: SystemFiles) -> List[Metric]:
    """Return clock, highest clock and governor of the GPU, where it has a devfreq."""
    return _devfreq_metrics(files, Devfreq(files.root, "gpu"), "gpu", "GPU")


def ddr_metrics(files: SystemFiles) -> List[Metric]:
    """Return clock, highest clock, governor and load of the memory, as far as the board tells them."""
    ddr = Devfreq(files.root, "dmc")
    if not ddr.is_there:
        return _clock("ddr", "memory", ddr_clock_hz(files, ddr))
    load = ddr.load_ratio(files)
    return [
        *_devfreq_metrics(files, ddr, "ddr", "memory"),
        *_gauge("rkbench_ddr_load_ratio", "Load of the memory controller, 0 to 1.", load),
    ]


def cpu_metrics(files: SystemFiles) -> List[Metric]:
    """Return clock, highest clock and governor of every cpufreq policy."""
    governors = {"cpu_" + policy: governor for policy, governor in (cpu_governors(files) or {}).items()}
    now, top = cpu_clocks(files) or {}, cpu_max_clocks(files) or {}
    return [
        *_gauge_by("policy", "rkbench_cpu_clock_hertz", "Clock of the CPUs of a policy.", now),
        *_gauge_by("policy", "rkbench_cpu_max_clock_hertz", "Highest clock that the policy allows.", top),
        *_governors(governors),
    ]


def _devfreq_metrics(files: SystemFiles, device: Devfreq, name: str, words: str) -> List[Metric]:
    if not device.is_there:
        return []
    text = f"Highest clock that the {words} may have."
    governor = device.governor(files)
    return [
        *_clock(name, words, device.clock_hz(files)),
        *_gauge(f"rkbench_{name}_max_clock_hertz", text, device.max_clock_hz(files)),
        *_governors({name: governor} if governor else {}),
    ]


def _clock(name: str, words: str, clock_hz: Optional[int]) -> List[Metric]:
    return _gauge(f"rkbench_{name}_clock_hertz", f"Clock of the {words}.", clock_hz)


def _gauge(name: str, text: str, value: Optional[float]) -> List[Metric]:
    return [] if value is None else [GaugeMetricFamily(name, text, value=value)]


def _gauge_by(label: str, name: str, text: str, values: Mapping[str, float]) -> List[Metric]:
    metric = GaugeMetricFamily(name, text, labels=[label])
    for part, value in values.items():
        metric.add_metric([part], value)
    return [metric] if values else []


def _governors(governors: Dict[str, str]) -> List[Metric]:
    metric = InfoMetricFamily("rkbench_governor", "Governor of a clock.", labels=["part"])
    for part, governor in governors.items():
        metric.add_metric([part], {"governor": governor})
    return [metric] if governors else []
