"""What the user wants run, and how."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from rkbench.errors import UsageError

SINGLE_STREAM = "single_stream"
#: Every mask that the board has, one run each.
SWEEP = "sweep"
CORE_MASKS = ("auto", "0", "1", "2", "0-1", "all", SWEEP)


@dataclass(frozen=True)
class Conditions:
    """How the board shall be while it measures.

    `pin`: clocks held still, the NPU's at `npu_clock_hz` (None: its highest). `cool_below_celsius`: waits
    before each run until it is cooler, at most `cool_limit_s`. `calm_limit_s`: waits so long at most
    while others load the board; 0 does not look.
    """

    pin: bool = False
    npu_clock_hz: int | None = None
    cool_below_celsius: float | None = None
    cool_limit_s: float = 300.0
    calm_limit_s: float = 5.0


@dataclass(frozen=True)
class Order:
    """The models, in the order of the columns, and how to run them.

    `runtime` None means the board's own. `baseline` is a variant's name; None: the first that ran.
    `wait_s` is how long to wait where another push holds the board; `limits_s` how long loading, the
    first inference and every further one may take before they count as a hang. `reason` tells others what
    the board is held for.
    """

    models: tuple[Path, ...]
    golden: Path | None = None
    runtime: str | None = None
    core_mask: str = "auto"
    iterations: int = 100
    duration_s: float = 3.0
    warmup: int = 5
    baseline: str | None = None
    force: bool = False
    wait_s: float = 0.0
    interleave: bool = True
    scenario: str = SINGLE_STREAM
    limits_s: tuple[float, float, float] = (120.0, 60.0, 30.0)
    conditions: Conditions = Conditions()
    load_cycles: int = 0
    profile: bool = False
    reason: str = ""


def check_order(order: Order) -> None:
    """Raise UsageError for what no board can do."""
    if not order.models:
        raise UsageError("no model given", hint="bench push MODEL.rknn --board NAME")
    if order.scenario != SINGLE_STREAM:
        raise UsageError(
            f"scenario {order.scenario!r} is not there yet: only {SINGLE_STREAM}",
            hint="leave --scenario away",
        )
    if order.core_mask not in CORE_MASKS:
        raise UsageError(f"no core mask {order.core_mask!r}", hint=f"one of {', '.join(CORE_MASKS)}")
    for name, value, least in (
        ("--iterations", order.iterations, 1),
        ("--warmup", order.warmup, 0),
        ("--duration", order.duration_s, 0),
        ("--wait", order.wait_s, 0),
        ("--load-cycles", order.load_cycles, 0),
        ("--cool-limit", order.conditions.cool_limit_s, 0),
    ):
        if not math.isfinite(value):
            raise UsageError(f"{name} {value:g}: must be a finite number")
        if value < least:
            raise UsageError(f"{name} {value:g}: must be {least} or more")
