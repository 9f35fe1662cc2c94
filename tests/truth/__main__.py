"""Print the table of docs/method.md: what each claim reached in many trials."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Iterator

import numpy as np
from caveat_claims import caveat_rates
from comparison_claims import COMPARISON_CLAIMS
from memory_claims import MEMORY_CLAIMS
from night_claims import NIGHT_CLAIMS
from percentile_claims import PERCENTILE_CLAIMS
from plan_claims import PLAN_CLAIMS
from server_claims import server_rows

CLAIMS = (*COMPARISON_CLAIMS, *PERCENTILE_CLAIMS, *MEMORY_CLAIMS, *PLAN_CLAIMS, *NIGHT_CLAIMS)
TRIALS = 2000
SEED = 3588
Row = tuple[str, str, float, bool]
"""What is claimed, its bound, what was reached, and whether that keeps it."""


def main() -> int:
    """Run all claims; exit 1 where one is not kept."""
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else TRIALS
    missed = _table(f"truth, and what is said of it ({trials} trials, seed {SEED})", _claims(trials))
    runs = max(1, trials // 10)
    missed += _table(f"what runs of the virtual board show ({runs} runs each)", _boards(runs))
    return 1 if missed else 0


def _table(title: str, rows: Iterator[Row]) -> int:
    """Print rows as they come, and return how many are not kept."""
    print(f"| {title} | claimed | reached |\n|---|---|---|")
    missed = 0
    for name, bound, rate, kept in rows:
        missed += not kept
        print(f"| {name} | {bound} | {rate:.3f}{'' if kept else ' MISSED'} |", flush=True)
    print()
    return missed


def _claims(trials: int) -> Iterator[Row]:
    """Yield the claims in order; they run beside each other, each on a generator of its own."""
    with multiprocessing.get_context("fork").Pool(os.cpu_count()) as pool:
        tasks = [(index, trials) for index in range(len(CLAIMS))]
        for claim, rate in zip(CLAIMS, pool.imap(_rate, tasks), strict=True):
            sign = ">=" if claim.at_most is None else "<="
            yield claim.name, f"{sign} {claim.bound:g}", rate, claim.keeps(rate)


def _rate(task: tuple[int, int]) -> float:
    index, trials = task
    return CLAIMS[index].rate(np.random.default_rng(SEED), trials)


def _boards(runs: int) -> Iterator[Row]:
    yield from caveat_rates(runs)
    yield from server_rows()


if __name__ == "__main__":
    sys.exit(main())
