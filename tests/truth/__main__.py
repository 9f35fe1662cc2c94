"""Print the table of docs/method.md: what each claim reached in many trials."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import board_claims
import caveat_claims
import numpy as np
from caveat_claims import Row
from claim import Claim
from comparison_claims import COMPARISON_CLAIMS
from history_claims import HISTORY_CLAIMS
from interference_claims import INTERFERENCE_CLAIMS
from mean_claims import MEAN_CLAIMS
from memory_claims import MEMORY_CLAIMS
from night_claims import NIGHT_CLAIMS
from odd_board_claims import ODD_BOARD_CLAIMS
from percentile_claims import PERCENTILE_CLAIMS
from plan_claims import PLAN_CLAIMS
from ranking_claims import RANKING_CLAIMS
from server_claims import LOADS, SERVER_CLAIMS, server_rows
from soak_claims import SOAK_CLAIMS

CLAIMS = (
    *COMPARISON_CLAIMS,
    *PERCENTILE_CLAIMS,
    *MEMORY_CLAIMS,
    *PLAN_CLAIMS,
    *RANKING_CLAIMS,
    *NIGHT_CLAIMS,
    *HISTORY_CLAIMS,
    *INTERFERENCE_CLAIMS,
    *SERVER_CLAIMS,
    *MEAN_CLAIMS,
    *SOAK_CLAIMS,
    *ODD_BOARD_CLAIMS,
)
TRIALS = 2000
SEED = 3588
Part = Callable[[], Sequence[Row]]


def main() -> int:
    """Run all claims; exit 1 where one is not kept."""
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else TRIALS
    claims = [partial(_rows, claim, trials) for claim in CLAIMS]
    missed = _table(f"truth, and what is said of it ({trials} trials, seed {SEED})", claims)
    runs = max(1, trials // 10)
    missed += _table(f"what runs of the virtual board show ({runs} runs each)", _boards(runs))
    return 1 if missed else 0


def _boards(runs: int) -> list[Part]:
    return [
        *(partial(caveat_claims.found_rows, truth, runs) for truth in caveat_claims.TRUTHS),
        partial(caveat_claims.healthy_rows, runs),
        *(partial(board_claims.found_rows, truth, runs) for truth in board_claims.TRUTHS),
        partial(board_claims.healthy_rows, runs),
        *(partial(server_rows, load) for load in LOADS),
    ]


def _rows(claim: Claim, trials: int) -> list[Row]:
    rate = claim.rate(np.random.default_rng(SEED), trials)
    sign = ">=" if claim.at_most is None else "<="
    return [(claim.name, f"{sign} {claim.bound:g}", rate, claim.keeps(rate))]


def _table(title: str, parts: Sequence[Part]) -> int:
    """Print the rows of all parts as they come, in order, and return how many are not kept."""
    print(f"| {title} | claimed | reached |\n|---|---|---|")
    missed = 0
    for name, bound, rate, kept in _in_order(parts):
        missed += not kept
        print(f"| {name} | {bound} | {rate:.3f}{'' if kept else ' MISSED'} |", flush=True)
    print()
    return missed


def _in_order(parts: Sequence[Part]) -> Iterator[Row]:
    """Yield the rows of each part; they are computed beside each other."""
    _PARTS[:] = parts
    with multiprocessing.get_context("fork").Pool(os.cpu_count()) as pool:
        for rows in pool.imap(_part, range(len(parts))):
            yield from rows


#: What is computed, known to the processes by its place: parts cannot be pickled.
_PARTS: list[Part] = []


def _part(place: int) -> Sequence[Row]:
    return _PARTS[place]()


if __name__ == "__main__":
    sys.exit(main())
