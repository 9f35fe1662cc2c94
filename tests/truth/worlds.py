"""Latencies of which the truth is known: what a board does, staged with a seed.

Times are relative to a variant's true latency of 1. Standard deviations are relative too: within a block
(`call`), from block to block (`block`) and from load to load (`load`); all levels are lognormal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from rkbench.stats.paired import Quad

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class World:
    """What scatters; `shape` is how calls lie around their block's level."""

    block: float = 0.0
    load: float = 0.0
    call: float = 0.02
    shape: str = "lognormal"
    memory: float = 0.0
    """AR(1) coefficient of the levels from call to call; `block` is then their deviation."""

    def calls(self, source: np.random.Generator, blocks: int, calls: int, level: float = 1.0) -> Array:
        """Return `blocks` x `calls` durations, in order."""
        shape = (blocks, calls)
        if self.memory:
            levels = np.exp(self._wandering(source, blocks * calls)).reshape(shape)
        else:
            levels = np.exp(source.normal(0, self.block, blocks))[:, None]
        return level * levels * SHAPES[self.shape](self, source, shape)

    def load_level(self, source: np.random.Generator) -> float:
        """Return the level of one load of a variant."""
        return float(np.exp(source.normal(0, self.load)))

    def _wandering(self, source: np.random.Generator, count: int) -> Array:
        steps = source.normal(0, self.block * np.sqrt(1 - self.memory**2), count)
        steps[0] = source.normal(0, self.block)
        from scipy.signal import lfilter

        wandering: Array = lfilter([1.0], [1.0, -self.memory], steps)
        return wandering


def _lognormal(world: World, source: np.random.Generator, shape: tuple[int, int]) -> Array:
    return np.exp(source.normal(0, world.call, shape))


def _bimodal(world: World, source: np.random.Generator, shape: tuple[int, int]) -> Array:
    return np.where(source.random(shape) < 0.3, 1.1, 1.0) * np.exp(source.normal(0, 0.005, shape))


def _pareto(world: World, source: np.random.Generator, shape: tuple[int, int]) -> Array:
    return 1 + 0.1 * source.pareto(3, shape)


def _tailed(world: World, source: np.random.Generator, shape: tuple[int, int]) -> Array:
    return with_outliers(source, _lognormal(world, source, shape), 0.02, 1.3)


SHAPES = {"lognormal": _lognormal, "bimodal": _bimodal, "pareto": _pareto, "tailed": _tailed}


def quads(
    source: np.random.Generator, world: World, shift: float, *, count: int, calls: int = 20
) -> list[Quad]:
    """Return `count` quads A B B A of one load of each variant; B takes `shift` longer (0.03 = 3 %)."""
    a, b = world.load_level(source), (1 + shift) * world.load_level(source)
    blocks_a = world.calls(source, 2 * count, calls, a).tolist()
    blocks_b = world.calls(source, 2 * count, calls, b).tolist()
    return [
        (blocks_a[2 * i], blocks_b[2 * i], blocks_b[2 * i + 1], blocks_a[2 * i + 1]) for i in range(count)
    ]


def with_outliers(source: np.random.Generator, calls: Array, share: float, factor: float) -> Array:
    """Return `calls` of which a `share` takes `factor` times as long."""
    return np.where(source.random(calls.shape) < share, factor, 1.0) * calls
