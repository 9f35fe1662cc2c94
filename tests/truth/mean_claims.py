"""What rkbench claims of the mean where two medians show no difference: a whole push is staged."""

from __future__ import annotations

from array import array
from dataclasses import replace
from functools import partial

import numpy as np
from caveat_claims import RUN
from claim import Claim, Source
from plan_claims import LOADS, StagedPush
from rkbench.results.latency_tests import figure_test, latency_tests
from rkbench.stats.figures import Statistic
from rkbench.stats.paired import FASTER, NO_DIFFERENCE, SLOWER, PairedJudgement, joint_confidence
from rkbench_agent.wire.plan import RunSettings
from worlds import with_outliers

CALL_NS = 10e6
BASE, OTHER = "p-01", "p-02"
#: One call in ten takes three times as long: the mean is 20 % higher, and the median where it was.
SHARE, FACTOR = 0.1, 3.0


def mean_of_two(source: Source, stalled: tuple[str, ...]) -> PairedJudgement | None:
    """Return what the mean of a push's second variant says against the first, where the medians say that
    there is no difference; None where they say something else. Calls of `stalled` runs do stall.
    """
    push = StagedPush(source, LOADS, [0.0], CALL_NS, RunSettings())
    push.tests()
    for run in stalled:
        calls = np.array(push.latencies[run].duration_ns)
        longer = with_outliers(source, calls, SHARE, FACTOR).astype(np.int64)
        push.latencies[run].duration_ns[:] = array("q", longer.tolist())
    base, other = (replace(RUN, id=run) for run in (BASE, OTHER))
    ((medians,), _) = latency_tests(base, [other], push.latencies)
    if medians.judgement != NO_DIFFERENCE:
        return None
    return figure_test(base, other, push.latencies, Statistic.MEAN, joint_confidence(1)).judgement


def mean_claims() -> list[Claim]:
    """Two equal variants, without and with calls that stall; and one of which alone some do."""
    told = "where p50 shows no difference, sd per load 1 %"
    stalls = f"1 call in {1 / SHARE:g} at x{FACTOR:g}"
    judged = partial(mean_of_two, stalled=())
    both = partial(mean_of_two, stalled=(BASE, OTHER))
    one = partial(mean_of_two, stalled=(OTHER,))
    return [
        Claim(f"mean, A/A, {told}: a false verdict", lambda s: judged(s) in (FASTER, SLOWER), 0.05),
        Claim(f"mean, A/A, {told}, {stalls}: a false verdict", lambda s: both(s) in (FASTER, SLOWER), 0.05),
        Claim(
            f"mean, {told}, {stalls} of one alone: slower, or nothing asked",
            lambda s: one(s) in (SLOWER, None),
            None,
            0.95,
        ),
    ]


MEAN_CLAIMS = mean_claims()
