"""A benchmark in a process of its own.

The most that a process has held (ru_maxrss) goes on to each program that it starts, as if that had held it:
after a model computed in the same process, a small child of the next benchmark would seem as large.
"""

from __future__ import annotations

import importlib
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from benchmarks.ratio import Ratio


def run_alone(name: str) -> list[Ratio]:
    """Return the ratios of a module of `benchmarks`."""
    with ProcessPoolExecutor(1, get_context("spawn")) as one:
        return one.submit(_run, name).result()


def _run(name: str) -> list[Ratio]:
    found: list[Ratio] = importlib.import_module(f"benchmarks.{name}").run()
    return found
