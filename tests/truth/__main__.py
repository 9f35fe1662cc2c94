"""Print the table of docs/method.md: what each claim reached in many trials."""

from __future__ import annotations

import sys

import numpy as np
from caveat_claims import caveat_rates
from claims import CLAIMS
from memory_claims import MEMORY_CLAIMS
from night_claims import NIGHT_CLAIMS
from plan_claims import PLAN_CLAIMS
from server_claims import server_rows

TRIALS = 2000
SEED = 3588


def main() -> int:
    """Run all claims; exit 1 where one is not kept."""
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else TRIALS
    print(f"| truth, and what is said of it ({trials} trials, seed {SEED}) | claimed | reached |")
    print("|---|---|---|")
    missed = 0
    for claim in (*CLAIMS, *MEMORY_CLAIMS, *PLAN_CLAIMS, *NIGHT_CLAIMS):
        rate = claim.rate(np.random.default_rng(SEED), trials)
        bound = f"<= {claim.at_most:g}" if claim.at_most is not None else f">= {claim.at_least:g}"
        kept = rate <= claim.at_most if claim.at_most is not None else rate >= (claim.at_least or 0)
        missed += not kept
        print(f"| {claim.name} | {bound} | {rate:.3f}{'' if kept else ' MISSED'} |", flush=True)
    runs = max(1, trials // 10)
    print(f"\n| what runs of the virtual board show ({runs} runs each) | claimed | reached |")
    print("|---|---|---|")
    for name, bound, rate, kept in (*caveat_rates(runs), *server_rows()):
        missed += not kept
        print(f"| {name} | {bound} | {rate:.3f}{'' if kept else ' MISSED'} |", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
