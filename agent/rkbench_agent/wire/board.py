"""What the agent tells of the board: its environment, its sensors, its clocks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, List, Optional


@dataclass(frozen=True)
class Library:
    """One librknnrt.so of the board; `kind` and `machine` are of the agent's `elf` module."""

    path: str
    kind: str
    machine: Optional[str] = None
    version: Optional[str] = None
    size_bytes: Optional[int] = None


@dataclass(frozen=True)
class DeviceNode:
    """One device node of the NPU: `kind` is drm_render, drm_card, rknpu or accel.

    `openable` is whether the present user could open it for reading and writing.
    """

    path: str
    kind: str
    mode: str
    owner: str
    group: str
    openable: bool


@dataclass(frozen=True)
class GovernorFile:
    """A governor of NPU, DDR or CPU (`part`); `settable` is whether the present user could set it."""

    part: str
    path: str
    governor: str
    settable: bool


@dataclass(frozen=True)
class Holder:
    """Who holds the board and what for, as far as the lock file tells.

    `until_unix_ns` is renewed with every beat; one that has passed belongs to an agent that hangs.
    """

    owner: str
    since_unix_ns: Optional[int] = None
    reason: str = ""
    until_unix_ns: Optional[int] = None


@dataclass(frozen=True)
class Waiter:
    """Who waits for the board, for what and since when (the board's clock); a higher priority comes first."""

    owner: str
    reason: str = ""
    priority: int = 0
    since_unix_ns: Optional[int] = None


@dataclass(frozen=True)
class Environment:
    """What the board is, read once before a plan. Everything that cannot be read is None."""

    #: As target_platform spells it (rk3588), and what the chip itself is called (rk3588s2, rk3582).
    soc: Optional[str] = None
    chip: Optional[str] = None
    board_model: Optional[str] = None
    compatible: Optional[List[str]] = None
    kernel: Optional[str] = None
    architecture: Optional[str] = None
    driver_version: Optional[str] = None
    runtime: Optional[str] = None
    runtime_version: Optional[str] = None
    runtime_path: Optional[str] = None
    lite_version: Optional[str] = None
    numpy_version: Optional[str] = None
    psutil_version: Optional[str] = None
    python_version: Optional[str] = None
    npu_cores: Optional[int] = None
    #: Their names in /sys/class/devfreq, as found there.
    npu_devfreq: Optional[str] = None
    ddr_devfreq: Optional[str] = None
    npu_governor: Optional[str] = None
    npu_clock_hz: Optional[int] = None
    npu_max_clock_hz: Optional[int] = None
    #: Clocks that the NPU can be pinned at; None where the board does not list them.
    npu_clocks_hz: Optional[List[int]] = None
    ddr_governor: Optional[str] = None
    ddr_clock_hz: Optional[int] = None
    cpu_governors: Optional[Dict[str, str]] = None
    #: Where the kernel begins to throttle, by thermal zone.
    passive_trips_celsius: Optional[Dict[str, float]] = None
    cpu_count: Optional[int] = None
    memory_total_bytes: Optional[int] = None
    memory_available_bytes: Optional[int] = None
    user: Optional[str] = None
    is_root: Optional[bool] = None
    unix_ns: Optional[int] = None
    boot_id: Optional[str] = None
    simulated: bool = False
    #: What only the doctor asks for. `modules`: whether this Python could import it. `sensors`: whether it
    #: can be read (npu_load, npu_clock, ddr_clock, temperature), `sensors_absent`: of the others why not.
    #: `container_lacks`: paths that RKNNLite demands where /.dockerenv exists, and that are not there; None
    #: outside.
    modules: Optional[Dict[str, bool]] = None
    libraries: Optional[List[Library]] = None
    elf_machine: Optional[str] = None
    device_nodes: Optional[List[DeviceNode]] = None
    npu_driver: Optional[str] = None
    iommu: Optional[bool] = None
    cma_total_bytes: Optional[int] = None
    cma_free_bytes: Optional[int] = None
    governor_files: Optional[List[GovernorFile]] = None
    sensors: Optional[Dict[str, bool]] = None
    sensors_absent: Optional[Dict[str, str]] = None
    kernel_log_readable: Optional[bool] = None
    cache_dir: Optional[str] = None
    cache_free_bytes: Optional[int] = None
    groups: Optional[List[str]] = None
    container_lacks: Optional[List[str]] = None
    #: Who runs a plan; None where nobody does.
    holder: Optional[Holder] = None
    #: Who waits for it, the next one first; None where nobody does.
    waiting: Optional[List[Waiter]] = None


@dataclass(frozen=True)
class HeldClock:
    """How one part of the board is held still: NPU, DDR or `CPU policy0`; None where that was left alone."""

    part: str
    governor: Optional[str] = None
    clock_hz: Optional[int] = None


@dataclass(frozen=True)
class Pinning:
    """What was set for the measuring; sent once it is, and again when it was given back.

    `settings` maps paths of sysfs to what was written there, `clocks` says the same by part of the board.
    `big_cpus` are the CPUs that workers are placed on. `restored` is None as long as it is pinned. Without
    `pinned`, nothing stays changed (but where `restored` is False): `message` says why, `command` what would
    have set it.
    """

    pinned: bool
    settings: Dict[str, str] = field(default_factory=dict)
    big_cpus: List[int] = field(default_factory=list)
    message: str = ""
    command: str = ""
    restored: Optional[bool] = None
    clocks: List[HeldClock] = field(default_factory=list)


@dataclass(frozen=True)
class Reading:
    """One sample of the board's sensors. A sensor that cannot be read is None or left out.

    `absent` says why, by field: the file, and what was wrong with it.
    """

    time_ns: int
    npu_load_ratio: Optional[List[float]] = None
    npu_clock_hz: Optional[int] = None
    npu_governor: Optional[str] = None
    ddr_clock_hz: Optional[int] = None
    ddr_governor: Optional[str] = None
    ddr_load_ratio: Optional[float] = None
    cpu_clock_hz: Optional[Dict[str, int]] = None
    cpu_governors: Optional[Dict[str, str]] = None
    gpu_clock_hz: Optional[int] = None
    temperature_celsius: Optional[Dict[str, float]] = None
    cpu_load_ratio: Optional[float] = None
    memory_available_bytes: Optional[int] = None
    cma_free_bytes: Optional[int] = None
    absent: Optional[Dict[str, str]] = None
