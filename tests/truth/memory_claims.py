"""What rkbench claims of its rule on leaks: memory after each release, staged cycle by cycle.

The rule (the second half, a page a cycle) was chosen on series of `random.Random(3588)` with noise of 20 and
100 kB; these are of another generator and other noise: 50 kB.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from claim import Claim, Source
from rkbench.results.cycles import load_cycles
from rkbench.results.extras import LoadCycles
from rkbench_agent.wire.messages import LoadCycle
from worlds import Array

NOISE_BYTES = 50e3
Held = Callable[[Source, Array], Array]


def _settles(source: Source, cycle: Array) -> Array:
    return 2e6 * (1 - np.exp(-cycle / 3))


def _steps(source: Source, cycle: Array) -> Array:
    return 1e6 * (cycle >= source.integers(1, len(cycle) // 2))


def _wanders(source: Source, cycle: Array) -> Array:
    return np.cumsum(source.normal(0, NOISE_BYTES, len(cycle)))


def _lingers(source: Source, cycle: Array) -> Array:
    held = np.zeros(len(cycle))
    for index, push in enumerate(source.normal(0, NOISE_BYTES, len(cycle))):
        held[index] = push + (0.9 * held[index - 1] if index else 0.0)
    return held


def _leaks(source: Source, cycle: Array) -> Array:
    return 42e3 * cycle


def _nothing(source: Source, cycle: Array) -> Array:
    return np.zeros(len(cycle))


def is_called_a_leak(held: Held, cycles: int, source: Source) -> bool:
    """Stage so many cycles after the first, and ask whether the process is said to leak."""
    memory = 9e6 + held(source, np.arange(cycles)) + source.normal(0, NOISE_BYTES, cycles)
    values = [9e6, *memory.tolist()]
    told = [LoadCycle("r", number, 10**7, 10**6, int(value)) for number, value in enumerate(values)]
    found = load_cycles(told)
    assert isinstance(found, LoadCycles)
    return next(leak.judgement == "rises" for leak in found.leaks if leak.memory == "rss")


def _claim(
    name: str, held: Held, cycles: int, *, at_most: float | None = None, at_least: float | None = None
) -> Claim:
    return Claim(
        f"{name}, {cycles} cycles: called a leak", partial(is_called_a_leak, held, cycles), at_most, at_least
    )


MEMORY_CLAIMS = (
    *(_claim("independent noise of 50 kB", _nothing, cycles, at_most=0.05) for cycles in (10, 20, 50)),
    *(_claim("one step of 1 MB in the first half", _steps, cycles, at_most=0.05) for cycles in (10, 20, 50)),
    _claim("an allocator that settles, 2 MB (1 - exp(-i/3))", _settles, 20, at_most=0.2),
    _claim("an allocator that settles, 2 MB (1 - exp(-i/3))", _settles, 50, at_most=0.05),
    *(_claim("AR(1) 0.9 of 50 kB", _lingers, cycles, at_most=0.15) for cycles in (20, 50)),
    *(_claim("a random walk of 50 kB", _wanders, cycles, at_most=0.25) for cycles in (20, 50)),
    _claim("a leak of 42 kB a cycle", _leaks, 20, at_least=0.9),
    _claim("a leak of 42 kB a cycle", _leaks, 50, at_least=0.99),
)
