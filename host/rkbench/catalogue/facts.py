"""What is known of the board that a message came from: told by its agent, or read from the log itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields

from rkbench_agent.wire.board import Environment

from rkbench.catalogue.log_search import SearchedLog
from rkbench.units import UNKNOWN, format_bytes


@dataclass(frozen=True)
class BoardState:
    """Facts that an advice may depend on; what is not known is None, or empty.

    `runtimes` are the librknnrt.so of the board, each with its version; `iommu` is whether the NPU has one.
    """

    soc: str | None = None
    driver_version: str | None = None
    runtime_version: str | None = None
    memory_total_bytes: int | None = None
    iommu: bool | None = None
    runtimes: tuple[str, ...] = ()

    def words(self) -> dict[str, str]:
        """Return the facts as the texts of the catalogue name them."""
        return {
            "soc": self.soc or UNKNOWN,
            "driver": self.driver_version or UNKNOWN,
            "runtime": self.runtime_version or UNKNOWN,
            "memory": format_bytes(self.memory_total_bytes),
            "runtimes": ", ".join(self.runtimes) or UNKNOWN,
        }

    def or_else(self, other: BoardState) -> BoardState:
        """Return these facts, and those of `other` where nothing is known here."""
        names = [field.name for field in fields(self)]
        ours = {name: getattr(self, name) for name in names}
        return BoardState(
            **{
                name: value if value not in (None, ()) else getattr(other, name)
                for name, value in ours.items()
            }
        )


def state_of_board(environment: Environment) -> BoardState:
    """Return the facts that an agent has told."""
    found = [library for library in environment.libraries or [] if library.kind == "elf" and library.version]
    several = len({library.version for library in found}) > 1
    return BoardState(
        environment.soc,
        environment.driver_version,
        environment.runtime_version,
        environment.memory_total_bytes,
        environment.iommu,
        tuple(f"{library.version} in {library.path}" for library in found) if several else (),
    )


_SOC = (
    re.compile(r"target platform: (r[kv]\w+)"),
    re.compile(r"platform: (R[KV]\d\w+)"),
    re.compile(r"\b(fdab0000|fde40000)\.npu\b"),
)
#: The family of a SoC, by the address of its NPU.
_BY_ADDRESS = {"fdab0000": "rk3588", "fde40000": "rk356x"}
_DRIVER = (
    re.compile(r"RKNN Driver Information\W+version: ([\d.]+\d)"),
    re.compile(r"driver version: ([\d.]+\d)"),
    re.compile(r"Initialized rknpu ([\d.]+\d)"),
    re.compile(r"RKNPU driver: v([\d.]+\d)"),
)
_RUNTIME = (
    re.compile(r"librknnrt version: ([\d.]+\w*)"),
    re.compile(r"rknnrt: ([\d.]+\w*)"),
    re.compile(r"sdk (?:api )?version: ([\d.]+\w*)"),
)
_MEMORY = (re.compile(r"Memory: \d+K/(\d+)K available"), re.compile(r"MemTotal:\s+(\d+) kB"))
_IOMMU = (re.compile(r"rknpu iommu (?:is|device-tree) (enabled|disabled|entry not found)"),)


def state_in_log(log: SearchedLog) -> BoardState:
    """Return the facts that a log tells of the board it was written on."""
    memory, iommu = _first(_MEMORY, log), _first(_IOMMU, log)
    soc = (_first(_SOC, log) or "").lower()
    return BoardState(
        _BY_ADDRESS.get(soc, soc) or None,
        _first(_DRIVER, log),
        _first(_RUNTIME, log),
        int(memory) * 1024 if memory else None,
        iommu == "enabled" if iommu else None,
    )


def _first(patterns: Sequence[re.Pattern[str]], log: SearchedLog) -> str | None:
    for pattern in patterns:
        for line in log.matching(pattern)[:1]:
            found = pattern.search(line)
            return found[1] if found else None
    return None
