"""The doctor on what a measurement stands on: memory, governors, sensors, room, clock, rights."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from shlex import quote

from rkbench_agent.wire.board import Environment
from rkbench_agent.wire.words import VIRTUAL

from rkbench.catalogue.check import FAIL, OK, WARN, Check
from rkbench.language.said import say
from rkbench.units import format_bytes, format_seconds

#: Below this the cache has hardly room for one bloated model; nothing at all fits below the agent's reserve.
LOW_SPACE_BYTES = 500_000_000
NO_SPACE_BYTES = 20_000_000
#: Without an IOMMU all memory of the NPU comes from CMA; vendor kernels reserve 16 to 256 MB.
LOW_CMA_BYTES = 64_000_000
#: More than a board of 4 GB tells of.
HIGH_TABLES_ABOVE_BYTES = 4_200_000_000
HIGH_TABLES = "on some kernels its page tables lie above 4 GB, where it cannot read them, and jobs are lost"
HIGH_TABLES_FIX = (
    "if a run fails with `failed to submit` (bench explain 31): a kernel with GFP_DMA32 for the iommu,"
    " or rknpu_mmu disabled in the device tree and cma=256M"
)
#: 2020-01-01: a clock before it was never set.
CLOCK_SET_UNIX_NS = 1_577_836_800_000_000_000
MAXIMUM_SKEW_S = 60.0
FIXED_GOVERNORS = ("performance", "userspace")
#: The agent's word for a file that a board does not have: of such a sensor there is nothing to say.
NOT_THERE = "not there"
SENSOR_NAMES = {
    "npu_load": "NPU load",
    "npu_clock": "NPU clock",
    "ddr_clock": "DDR clock",
    "temperature": "temperatures",
}


def system_checks(environment: Environment, runtime: str, host_unix_ns: int | None) -> Iterator[Check]:
    """Return the verdicts on the system."""
    if runtime != VIRTUAL:
        yield from _memory(environment)
    yield from _governors(environment)
    yield from _sensors(environment)
    if runtime != VIRTUAL:
        yield from _rights(environment)
    yield from _holder(environment)
    yield from _space(environment)
    yield from _clock(environment, host_unix_ns)


def _memory(environment: Environment) -> Iterator[Check]:
    if environment.npu_driver != "rknpu":
        return
    total, free = environment.cma_total_bytes, environment.cma_free_bytes
    nothing = "no CMA" if environment.memory_total_bytes else "CMA unknown"
    cma = f"CMA {format_bytes(free)} free of {format_bytes(total)}" if total else nothing
    if environment.iommu and _may_have_high_tables(environment):
        memory = format_bytes(environment.memory_total_bytes)
        found = f"{environment.soc} with {memory} and the NPU's iommu on: {HIGH_TABLES}"
        yield Check("iommu", WARN, "NPU memory", found, HIGH_TABLES_FIX)
    elif environment.iommu:
        yield Check("iommu", OK, "NPU memory", "through the IOMMU: any free memory will do")
    elif environment.iommu is None:
        found = f"whether the NPU has an IOMMU cannot be told; {cma}"
        yield Check("iommu", OK, "NPU memory", found, "as root: dmesg | grep -i 'rknpu.*iommu'")
    else:
        small = (free or 0) < LOW_CMA_BYTES
        found = f"no IOMMU: models must fit into CMA; {cma}"
        fix = (
            'enable the npu\'s iommu in the device tree (rknpu_mmu: status = "okay"), or reserve more:'
            " cma=256M on the kernel's command line"
        )
        yield Check("iommu", WARN if small else OK, "NPU memory", found, fix if small else "")


def _may_have_high_tables(environment: Environment) -> bool:
    """Return whether page tables of the NPU may lie where an RK3566/RK3568 cannot read them."""
    total = environment.memory_total_bytes or 0
    return environment.soc in ("rk3566", "rk3568") and total > HIGH_TABLES_ABOVE_BYTES


def _governors(environment: Environment) -> Iterator[Check]:
    files = environment.governor_files or []
    if not files:
        return
    free = [file for file in files if file.governor not in FIXED_GOVERNORS]
    closed = [file for file in free if not file.settable]
    told = ", ".join(dict.fromkeys(f"{file.part} {file.governor}" for file in files))
    if not free:
        yield Check("governors", OK, "governors", f"{told}: clocks are fixed")
    elif closed:
        paths = " ".join(quote(file.path) for file in free)
        fix = (
            'become = "sudo -n" in bench.toml (or log in as root), then: bench push --pin; by hand:'
            f" for f in {paths}; do echo performance | sudo tee $f; done"
        )
        found = f"{told}: clocks follow the load, and {environment.user or 'the user'} may not set them"
        yield Check("governors", WARN, "governors", found, fix)
    else:
        yield Check("governors", OK, "governors", f"{told}; may be set: bench push --pin")


def _sensors(environment: Environment) -> Iterator[Check]:
    sensors = environment.sensors or {}
    if not sensors:
        return
    there = [SENSOR_NAMES.get(name, name) for name, readable in sensors.items() if readable]
    absent = [name for name, readable in sensors.items() if not readable]
    if not absent:
        yield Check("sensors", OK, "sensors", ", ".join(there))
        return
    missing = ", ".join(_why(environment, name) for name in absent)
    found = f"{', '.join(there) or 'none'}; not readable: {missing}"
    yield Check("sensors", WARN, "sensors", found, _readable(environment, absent))


def _why(environment: Environment, name: str) -> str:
    reason = (environment.sensors_absent or {}).get(name)
    told = reason and reason != NOT_THERE and not reason.endswith(f": {NOT_THERE}")
    return SENSOR_NAMES.get(name, name) + (f" ({reason})" if told else "")


def _readable(environment: Environment, absent: Sequence[str]) -> str:
    """Return how to read the load and the memory's clock: vendor kernels have them in debugfs."""
    if environment.npu_driver != "rknpu" or not {"npu_load", "ddr_clock"} & set(absent):
        return ""
    if environment.is_root:
        return "mount -t debugfs none /sys/kernel/debug"
    return say(
        "log in as root (debugfs is root's alone); if that is not enough: mount -t debugfs none"
        " /sys/kernel/debug"
    )


def _rights(environment: Environment) -> Iterator[Check]:
    user = environment.user or "?"
    log = environment.kernel_log_readable
    if environment.is_root:
        yield Check("rights", OK, "user", f"{user}, root")
    else:
        groups = ", ".join(environment.groups or []) or "unknown groups"
        found = f"{user} ({groups}), not root: fewer sensors, and clocks cannot be pinned"
        yield Check("rights", OK, "user", found, 'sudo without a password: become = "sudo -n" in bench.toml')
    if log is not None:
        found = "readable" if log else "not readable: what the driver says of a failure will be missing"
        fix = "" if log else "sudo sysctl kernel.dmesg_restrict=0"
        yield Check("kernel_log", OK, "kernel log", found, fix)


def _holder(environment: Environment) -> Iterator[Check]:
    """Say who runs a plan now: others have to wait, which breaks nothing."""
    held = environment.holder
    if held is None:
        return
    since, reason = held.since_unix_ns, held.reason
    told = f"held by {held.owner or 'somebody'}" + (f" ({reason})" if reason else "")
    if since is not None:
        told += time.strftime(" since %Y-%m-%d %H:%M:%S UTC", time.gmtime(since / 1e9))
    yield Check("holder", WARN, "in use", told, "wait for it: bench push --wait SECONDS")


def _space(environment: Environment) -> Iterator[Check]:
    free = environment.cache_free_bytes
    if free is None:
        return
    found = f"{format_bytes(free)} in {environment.cache_dir}"
    verdict = FAIL if free < NO_SPACE_BYTES else WARN if free < LOW_SPACE_BYTES else OK
    fix = "free some, or name a folder on a larger disk: cache_dir in bench.toml" if verdict != OK else ""
    yield Check("free_space", verdict, "free space", found, fix)


def _clock(environment: Environment, host_unix_ns: int | None) -> Iterator[Check]:
    board = environment.unix_ns
    if board is None:
        return
    fix = "sudo timedatectl set-ntp true (or: sudo date -s @$(date +%s) with the host's time)"
    told = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(board / 1e9))
    if board < CLOCK_SET_UNIX_NS:
        yield Check("clock", WARN, "clock", f"{told}: it was never set", fix)
        return
    skew_s = 0.0 if host_unix_ns is None else (board - host_unix_ns) / 1e9
    if abs(skew_s) > MAXIMUM_SKEW_S:
        found = (
            f"{told}: {format_seconds(abs(skew_s))} {'ahead of' if skew_s > 0 else 'behind'} this computer"
        )
        yield Check("clock", WARN, "clock", found, fix)
    else:
        yield Check("clock", OK, "clock", told)
