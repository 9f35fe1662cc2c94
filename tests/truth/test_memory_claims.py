"""The claims on leaks, on few trials."""

from __future__ import annotations

import numpy as np
import pytest
from claim import Claim
from memory_claims import MEMORY_CLAIMS

TRIALS = 100


@pytest.mark.parametrize("claim", MEMORY_CLAIMS, ids=lambda claim: claim.name)
def test_what_is_claimed_of_leaks_is_reached(claim: Claim) -> None:
    rate = claim.rate(np.random.default_rng(3588), TRIALS)
    assert claim.allows(rate, TRIALS), f"{claim.name}: {rate:.3f}"
