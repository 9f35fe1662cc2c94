"""What the runs of a push are called: by their variants, with their cores where these differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rkbench.runs.model import RunResult


def run_names(runs: Sequence[RunResult]) -> dict[str, str]:
    """Return by run id what its variant is called, with its cores where those differ."""
    several = len({run.plan.core_mask for run in runs}) > 1
    return {
        run.id: f"{run.variant.name}, cores {run.plan.core_mask}" if several else run.variant.name
        for run in runs
    }


def told_apart(runs: Sequence[RunResult]) -> list[RunResult]:
    """Return the runs with variants that are called as `run_names` calls them: for sentences."""
    names = run_names(runs)
    return [replace(run, variant=replace(run.variant, name=names[run.id])) for run in runs]
