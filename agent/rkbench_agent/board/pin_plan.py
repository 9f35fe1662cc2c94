"""The plan of a pin: which clocks to hold still while measuring, and how they were before.

Pure functions over what `read_domains` found; `apply` and `restore` at the end are the only ones that
write. Paths are relative to the root, as `sys/class/devfreq/dmc/governor`. Clocks are in the unit of
their file: hertz in devfreq, kilohertz in cpufreq. Who calls them is `guard`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from rkbench_agent.board.system_files import find_devfreq, read_int, read_text
from rkbench_agent.errors import PinRefusedError
from rkbench_agent.wire.board import HeldClock
from rkbench_agent.wire.words import CPU, DDR, NPU

PERFORMANCE, USERSPACE = "performance", "userspace"
DEVFREQ, CPUFREQ = "sys/class/devfreq", "sys/devices/system/cpu/cpufreq"
#: Clusters whose fastest clock is within a tenth of the best are all big: their bins differ a little.
BIG_RATIO = 0.9
#: min_freq above max_freq is refused, so one order of writing need not do at once.
RESTORE_ROUNDS = 3
_OURS = re.compile(
    r"sys/class/devfreq/[\w.:-]+/(governor|min_freq|max_freq|userspace/set_freq)"
    r"|sys/devices/system/cpu/cpufreq/policy\d+/scaling_(governor|min_freq|max_freq|setspeed)",
    re.ASCII,
)
_VALUE = re.compile(r"[\w.-]{1,64}", re.ASCII)


class Write(NamedTuple):
    """A file of sysfs and what to write there, or what it held."""

    path: str
    value: str


@dataclass(frozen=True)
class Domain:
    """A part of the board with a clock of its own. Numbers that cannot be read are None."""

    part: str
    folder: str
    governor: str
    governors: Tuple[str, ...]
    clocks: Tuple[int, ...]
    max_clock: Optional[int]
    #: Those of a CPU's policy; its files are cpufreq's.
    cpus: Tuple[int, ...] = ()
    is_cpu: bool = False

    def path(self, name: str) -> str:
        """Return the path of its `governor`, `min`, `max` or `set` file."""
        names = _CPUFREQ_NAMES if self.is_cpu else _DEVFREQ_NAMES
        return f"{self.folder}/{names[name]}"


@dataclass(frozen=True)
class PinStep:
    """How to hold one domain still: alternatives, the best first."""

    part: str
    alternatives: Tuple[Tuple[Write, ...], ...]


_DEVFREQ_NAMES = {
    "governor": "governor",
    "min": "min_freq",
    "max": "max_freq",
    "set": "userspace/set_freq",
}
_CPUFREQ_NAMES = {
    "governor": "scaling_governor",
    "min": "scaling_min_freq",
    "max": "scaling_max_freq",
    "set": "scaling_setspeed",
}


def read_domains(root: Path) -> List[Domain]:
    """Return NPU, DDR and every CPU policy that has a governor."""
    found: List[Optional[Domain]] = []
    for part, name in ((NPU, "npu"), (DDR, "dmc")):
        folder = find_devfreq(root, name)
        if folder is not None:
            found.append(_read_devfreq(part, folder))
    for folder in sorted((root / CPUFREQ).glob("policy*")):
        found.append(_read_policy(folder))
    return [domain for domain in found if domain is not None]


def big_cpus(domains: Sequence[Domain]) -> List[int]:
    """Return the CPUs whose clusters have the highest clock; empty where nothing is known."""
    policies = [domain for domain in domains if domain.is_cpu and domain.clocks and domain.cpus]
    best = max((max(policy.clocks) for policy in policies), default=0)
    return sorted(cpu for p in policies if max(p.clocks) >= BIG_RATIO * best for cpu in p.cpus)


def plan_pin(domains: Sequence[Domain], npu_clock_hz: Optional[int] = None) -> List[PinStep]:
    """Return how to hold every domain at its highest clock, the NPU at `npu_clock_hz` if given.

    Raises PinRefusedError where the board has no NPU clock, or not that one.
    """
    npu = next((domain for domain in domains if domain.part == NPU), None)
    if npu is None:
        raise PinRefusedError("the NPU's clock cannot be set here: it has no devfreq governor")
    if npu_clock_hz is not None and npu.clocks and npu_clock_hz not in npu.clocks:
        told = ", ".join(f"{clock / 1e6:g}" for clock in npu.clocks)
        raise PinRefusedError(f"no NPU clock of {npu_clock_hz / 1e6:g} MHz: this board has {told} MHz")
    return [_step(domain, npu_clock_hz if domain is npu else None) for domain in domains]


def command_of(steps: Sequence[PinStep]) -> str:
    """Return the shell command that does by hand what the first alternatives do."""
    writes = [write for step in steps for write in step.alternatives[0]]
    return "sudo sh -c '" + "; ".join(f"echo {value} > /{path}" for path, value in writes) + "'"


def is_ours(write: Write) -> bool:
    """Tell whether it is a file that pinning may ever write to, and a value that such a file may hold."""
    is_path = _OURS.fullmatch(write.path) is not None and ".." not in write.path
    return is_path and _VALUE.fullmatch(write.value) is not None


def apply(root: Path, steps: Sequence[PinStep], remember: Callable[[Sequence[Write]], None]) -> List[Write]:
    """Set every domain and return what was written; `remember` gets the old values before each write.

    Raises PinRefusedError at the first domain that takes none of its alternatives; the caller then
    restores what was remembered, so that nothing stays half pinned.
    """
    written: List[Write] = []
    for step in steps:
        problems = []
        for alternative in step.alternatives:
            old = _old_values(root, alternative)
            remember(old)
            problem = _write_all(root, alternative)
            if problem is None:
                written.extend(alternative)
                break
            problems.append(problem)
            restore(root, old)
        else:
            raise PinRefusedError(f"{step.part}: {problems[0]}", command_of(steps))
    return written


def held_clocks(domains: Sequence[Domain], written: Sequence[Write]) -> List[HeldClock]:
    """Return how each domain is held still by what was written."""
    values = dict(written)
    found = []
    for domain in domains:
        clock = values.get(domain.path("set")) or values.get(domain.path("max"))
        clock_hz = int(clock) * (1000 if domain.is_cpu else 1) if clock else None
        found.append(HeldClock(domain.part, values.get(domain.path("governor")), clock_hz))
    return found


def restore(root: Path, settings: Sequence[Write]) -> List[str]:
    """Write back what differs; return what could not be brought back. A file that is gone is none."""
    for _ in range(RESTORE_ROUNDS):
        different = [write for write in settings if read_text(root / write.path) not in (None, write.value)]
        if not different:
            return []
        problems = [_write(root, write) for write in different]
    return [write.path for write, problem in zip(different, problems) if problem is not None]


def _step(domain: Domain, clock: Optional[int]) -> PinStep:
    alternatives: List[Tuple[Write, ...]] = []
    if clock is None and PERFORMANCE in domain.governors:
        alternatives.append((Write(domain.path("governor"), PERFORMANCE),))
    target = clock if clock is not None else domain.max_clock
    if target is not None:
        if USERSPACE in domain.governors:
            governor = Write(domain.path("governor"), USERSPACE)
            alternatives.append((governor, Write(domain.path("set"), str(target))))
        alternatives.append(tuple(_limits(domain, target)))
    if not alternatives:
        alternatives.append((Write(domain.path("governor"), PERFORMANCE),))
    return PinStep(domain.part, tuple(alternatives))


def _limits(domain: Domain, clock: int) -> Iterator[Write]:
    """Yield min = max = clock, in an order in which min is never above max."""
    names = ("max", "min") if domain.max_clock is not None and clock > domain.max_clock else ("min", "max")
    for name in names:
        yield Write(domain.path(name), str(clock))


def _read_devfreq(part: str, folder: Path) -> Optional[Domain]:
    governor = read_text(folder / "governor")
    if not governor:
        return None
    return Domain(
        part,
        f"{DEVFREQ}/{folder.name}",
        governor,
        tuple((read_text(folder / "available_governors") or "").split()),
        _numbers(folder / "available_frequencies"),
        read_int(folder / "max_freq"),
    )


def _read_policy(folder: Path) -> Optional[Domain]:
    governor = read_text(folder / "scaling_governor")
    if not governor:
        return None
    fastest = read_int(folder / "cpuinfo_max_freq") or read_int(folder / "scaling_max_freq")
    return Domain(
        f"{CPU} {folder.name}",
        f"{CPUFREQ}/{folder.name}",
        governor,
        tuple((read_text(folder / "scaling_available_governors") or "").split()),
        _numbers(folder / "scaling_available_frequencies") or ((fastest,) if fastest else ()),
        read_int(folder / "scaling_max_freq"),
        _numbers(folder / "affected_cpus") or _numbers(folder / "related_cpus"),
        is_cpu=True,
    )


def _numbers(path: Path) -> Tuple[int, ...]:
    return tuple(int(word) for word in (read_text(path) or "").split() if word.isdigit())


def _old_values(root: Path, writes: Sequence[Write]) -> List[Write]:
    """Return what the files hold now. Not of the set file: its governor takes it along."""
    values = [(write.path, read_text(root / write.path)) for write in writes]
    sets = tuple(names["set"] for names in (_DEVFREQ_NAMES, _CPUFREQ_NAMES))
    return [Write(path, value) for path, value in values if value and not path.endswith(sets)]


def _write_all(root: Path, writes: Sequence[Write]) -> Optional[str]:
    """Write in order; return why the first that did not take did not, or None."""
    for write in writes:
        problem = _write(root, write)
        if problem is not None:
            return problem
    return None


def _write(root: Path, write: Write) -> Optional[str]:
    """Write one file that is there, and read it back; return what went wrong, or None."""
    if not is_ours(write):
        return f"/{write.path} is none of the files that set clocks"
    path = root / write.path
    try:
        fd = os.open(str(path), os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
        try:
            os.write(fd, write.value.encode("ascii"))
        finally:
            os.close(fd)
    except OSError as error:
        return f"cannot write {write.value} to /{write.path}: {error.strerror}"
    found = read_text(path)
    return None if found == write.value else f"/{write.path} took {write.value}, and says {found}"
