"""What a prediction is asked for other than the clocks and the one core of the fit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from rkbench.errors import UsageError
from rkbench.language.said import Said, say
from rkbench.npu.latency_model import Machine
from rkbench.units import format_hertz, parse_hertz

HINT = "such as clock=600MHz,cores=3,ddr=50% or ddr=8.5GB/s"
MOST_CORES = 3
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d+)?)\s*%")
_RATE = re.compile(r"(\d{1,4}(?:\.\d+)?)\s*GB/s", re.IGNORECASE)


@dataclass(frozen=True)
class WhatIf:
    """Other conditions; None and 1 are those of the fit."""

    clock_hz: float | None = None
    cores: int = 1
    ddr_bytes_per_s: float | None = None
    ddr_ratio: float | None = None
    """Of the bandwidth of the fit; `ddr_bytes_per_s` goes before."""

    def applied_to(self, machine: Machine) -> Machine:
        """Return the machine under these conditions."""
        ddr = self.ddr_bytes_per_s or machine.ddr_bytes_per_s * (self.ddr_ratio or 1.0)
        return replace(machine, clock_hz=self.clock_hz or machine.clock_hz, ddr_bytes_per_s=ddr)

    def reasons(self) -> Iterator[Said]:
        """Yield why there is no band under these conditions."""
        if self.clock_hz:
            clock = format_hertz(self.clock_hz)
            yield say("the clock of {clock} was not measured, the fit is of the highest", clock=clock)
        if self.cores > 1:
            yield say(
                "{cores} cores: the fit is of one, and how they share the memory is not known",
                cores=self.cores,
            )
        if self.ddr_bytes_per_s or self.ddr_ratio:
            yield say("another memory bandwidth than the fit's")


AS_FITTED = WhatIf()


def parse_what_if(text: str) -> WhatIf:
    """Return the conditions of `clock=600MHz,cores=3,ddr=50%`; raises UsageError for anything else."""
    asked = AS_FITTED
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or name not in ("clock", "cores", "ddr"):
            raise UsageError(f"--what-if {part[:40]!r}: no condition that is known", hint=HINT)
        asked = _with(asked, name, value)
    return asked


def _with(asked: WhatIf, name: str, value: str) -> WhatIf:
    if name == "clock":
        clock_hz = parse_hertz(value)
        if not 1e6 <= clock_hz <= 1e10:
            raise UsageError(f"--what-if clock={value}: no clock of an NPU", hint=HINT)
        return replace(asked, clock_hz=float(clock_hz))
    if name == "cores":
        if value not in ("1", "2", "3"):
            raise UsageError(f"--what-if cores={value[:20]}: 1 to {MOST_CORES} cores", hint=HINT)
        return replace(asked, cores=int(value))
    ratio, rate = _PERCENT.fullmatch(value), _RATE.fullmatch(value)
    if ratio and float(ratio[1]):
        return replace(asked, ddr_ratio=float(ratio[1]) / 100)
    if rate and float(rate[1]):
        return replace(asked, ddr_bytes_per_s=float(rate[1]) * 1e9)
    raise UsageError(f"--what-if ddr={value[:20]}: neither a share nor a bandwidth", hint=HINT)
