"""The noise floor of a push: kept where the push measures one, shown where the board has one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rkbench.campaign.outcome import Outcome
from rkbench.errors import DocumentError, StoreError
from rkbench.results.comparison import Comparison
from rkbench.results.model import RunResult
from rkbench.results.noise_floor import floor_conditions
from rkbench.results.noise_words import measured_floor, with_floor
from rkbench.store import Store


def with_noise_floor(outcome: Outcome, store: Store, *, keep: bool) -> Outcome:
    """Return `outcome` with the noise floor of its board in its comparison.

    `keep`: the push is of one file beside itself, and what it shows is kept. A store that refuses is told
    in the outcome, which is complete without.
    """
    try:
        if keep:
            return replace(outcome, comparison=_kept(outcome, store))
        return replace(outcome, comparison=with_known_floor(outcome.runs, outcome.comparison, store))
    except StoreError as error:
        return replace(outcome, store_error=outcome.store_error or error)


def with_known_floor(runs: Sequence[RunResult], comparison: Comparison, store: Store) -> Comparison:
    """Return `comparison` with the noise floor that `store` has of its board and conditions, if any.

    One that is damaged hides no run: the verdict says so.
    """
    base = next((run for run in runs if run.id == comparison.baseline), None)
    if base is None or not any(test.difference_percent is not None for test in comparison.latency_tests):
        return comparison
    conditions = floor_conditions(base, comparison.latency_tests[0].unit)
    try:
        floor = store.noise_floor(base.board.name, conditions)
    except DocumentError as error:
        told = f"{comparison.verdict} {error}; --noise-floor measures it anew."
        return replace(comparison, verdict=told)
    return with_floor(runs, comparison, floor)


def _kept(outcome: Outcome, store: Store) -> Comparison:
    floor, why_not = measured_floor(outcome.runs, outcome.comparison)
    if floor is None:
        told = f"{outcome.comparison.verdict} No noise floor is kept: {why_not}."
        return replace(outcome.comparison, verdict=told)
    store.save_noise_floor(floor)
    return with_floor(outcome.runs, outcome.comparison, floor)
