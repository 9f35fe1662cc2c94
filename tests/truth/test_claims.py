"""Every claim of docs/method.md on few trials: fixed seeds, and bounds that leave room for chance."""

from __future__ import annotations

import numpy as np
import pytest
from claim import Claim
from comparison_claims import COMPARISON_CLAIMS
from interference_claims import INTERFERENCE_CLAIMS
from night_claims import NIGHT_CLAIMS
from percentile_claims import PERCENTILE_CLAIMS
from plan_claims import PLAN_CLAIMS

TRIALS = 100
#: A staged push takes ten times as long.
PUSHES = 30
SEED = 3588


@pytest.mark.parametrize("claim", [*COMPARISON_CLAIMS, *PERCENTILE_CLAIMS], ids=lambda claim: claim.name)
def test_what_is_claimed_is_reached(claim: Claim) -> None:
    rate = claim.rate(np.random.default_rng(SEED), TRIALS)
    assert claim.allows(rate, TRIALS), f"{claim.name}: {rate:.3f}"


def test_a_claim_that_is_not_kept_is_seen() -> None:
    never = Claim("never", lambda source: False, None, 0.9)
    always = Claim("always", lambda source: True, 0.1)
    assert [claim.allows(claim.rate(np.random.default_rng(0), 10), 10) for claim in (never, always)] == [
        False,
        False,
    ]


def test_the_mean_of_a_figure_may_be_claimed() -> None:
    wide = Claim("wide", lambda source: 1.3, 1.25, scatter=0.1)
    found = wide.rate(np.random.default_rng(0), 100)
    assert (found, wide.keeps(found), wide.allows(found, 100)) == (pytest.approx(1.3), False, False)


@pytest.mark.parametrize("claim", NIGHT_CLAIMS, ids=lambda claim: claim.name)
def test_what_is_claimed_of_nights_is_reached(claim: Claim) -> None:
    rate = claim.rate(np.random.default_rng(SEED), PUSHES)
    assert claim.allows(rate, PUSHES), f"{claim.name}: {rate:.3f}"


@pytest.mark.parametrize("claim", INTERFERENCE_CLAIMS, ids=lambda claim: claim.name)
def test_what_is_claimed_of_two_models_beside_each_other_is_reached(claim: Claim) -> None:
    rate = claim.rate(np.random.default_rng(SEED), PUSHES)
    assert claim.allows(rate, PUSHES), f"{claim.name}: {rate:.3f}"


@pytest.mark.parametrize("claim", PLAN_CLAIMS, ids=lambda claim: claim.name)
def test_what_is_claimed_of_a_whole_push_is_reached(claim: Claim) -> None:
    pushes = PUSHES // claim.cost
    rate = claim.rate(np.random.default_rng(SEED), pushes)
    assert claim.allows(rate, pushes), f"{claim.name}: {rate:.3f}"
