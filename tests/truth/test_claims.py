"""Every claim of docs/method.md on few trials: fixed seeds, and bounds that leave room for chance."""

from __future__ import annotations

import numpy as np
import pytest
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
from server_claims import SERVER_CLAIMS
from soak_claims import SOAK_CLAIMS

SEED = 3588
#: How many trials of each are made: what takes longer is tried less often.
TRIALS = {
    100: (
        *COMPARISON_CLAIMS,
        *PERCENTILE_CLAIMS,
        *MEMORY_CLAIMS,
        *PLAN_CLAIMS,
        *RANKING_CLAIMS,
        *SOAK_CLAIMS,
        *ODD_BOARD_CLAIMS,
    ),
    45: (*NIGHT_CLAIMS, *HISTORY_CLAIMS, *INTERFERENCE_CLAIMS, *SERVER_CLAIMS, *MEAN_CLAIMS),
}
TRIED = [(claim, claim.trials(usual)) for usual, claims in TRIALS.items() for claim in claims]
#: No rate in so few trials would break them; `make truth` makes more.
LEFT_OUT = [claim.name for claim, trials in TRIED if not claim.can_fail(trials)]


@pytest.mark.parametrize(
    ("claim", "trials"),
    [(claim, trials) for claim, trials in TRIED if claim.can_fail(trials)],
    ids=lambda value: value.name if isinstance(value, Claim) else "",
)
def test_what_is_claimed_is_reached(claim: Claim, trials: int) -> None:
    assert not claim.allows(0.0 if claim.at_most is None else max(1.0, 2 * claim.bound), trials)
    rate = claim.rate(np.random.default_rng(SEED), trials)
    assert claim.allows(rate, trials), f"{claim.name}: {rate:.3f}"


def test_no_claim_is_left_to_make_truth_alone() -> None:
    assert LEFT_OUT == []


def test_a_claim_that_is_not_kept_is_seen() -> None:
    never = Claim("never", lambda source: False, None, 0.9)
    always = Claim("always", lambda source: True, 0.1)
    assert [claim.allows(claim.rate(np.random.default_rng(0), 10), 10) for claim in (never, always)] == [
        False,
        False,
    ]


def test_a_claim_that_no_rate_could_break_is_seen() -> None:
    seldom = Claim("in 3 of 100 at least", lambda source: False, None, 0.03)
    often = Claim("in 90 of 100 at most", lambda source: True, 0.9)
    assert [seldom.can_fail(trials) for trials in (60, 200)] == [False, True]
    assert [often.can_fail(trials) for trials in (30, 60)] == [False, True]


@pytest.mark.parametrize(
    ("claim", "allowed", "refused"),
    [
        (Claim("at most", lambda source: True, 0.05), 0.10, 0.12),
        (Claim("at least", lambda source: True, None, 0.9), 0.82, 0.80),
    ],
)
def test_chance_is_granted_what_one_test_in_a_hundred_needs(
    claim: Claim, allowed: float, refused: float
) -> None:
    assert claim.allows(allowed, 100)
    assert not claim.allows(refused, 100)


def test_the_mean_of_a_figure_may_be_claimed() -> None:
    wide = Claim("wide", lambda source: 1.3, 1.25, scatter=0.1)
    found = wide.rate(np.random.default_rng(0), 100)
    assert (found, wide.keeps(found), wide.allows(found, 100)) == (pytest.approx(1.3), False, False)
