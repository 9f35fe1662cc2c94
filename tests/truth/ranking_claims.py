"""What rkbench claims of `--minimize`: a whole push is staged, and its variants are ranked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from caveat_claims import RUN
from claim import Claim, Source
from plan_claims import LOADS, StagedPush
from rkbench.campaign.demands import carrying, reads_of
from rkbench.results.latency_tests import latency_tests
from rkbench.results.measures import QUANTITIES
from rkbench.results.parts import latency
from rkbench.results.ranking import LatencyEvidence, rank
from rkbench_agent.wire.plan import RunSettings
from worlds import World

CALL_NS = 10e6
#: One call in fifty takes 1.3 times as long.
TAILED = replace(LOADS, shape="tailed")


def best_of(source: Source, world: World, word: str, shifts: Sequence[float]) -> str | None:
    """Return the run that a push ranks best: `p-01` is the baseline, others take `shifts` longer."""
    settings = carrying(RunSettings(), reads_of([QUANTITIES[word]]))
    push = StagedPush(source, world, shifts, CALL_NS, settings)
    push.tests()
    runs = [replace(RUN, id=name, latency=latency(raw)) for name, raw in push.latencies.items()]
    against_base, among = latency_tests(runs[0], runs[1:], push.latencies)
    evidence = LatencyEvidence(push.latencies, (*against_base, *among))
    return rank(word, runs, {}, evidence).best


def ranking_claims() -> list[Claim]:
    """Three equal variants, of which none is best; and one that is 5 % shorter than two others."""
    claims = []
    for told, world in (("", LOADS), (", 1 call in 50 at x1.3", TAILED)):
        name = f"push --minimize {{}} of three, sd per load 1 %{told}: {{}}"
        for word in ("p50", "mean", "p90", "p99"):
            best = partial(best_of, world=world, word=word)
            claims.append(
                Claim(
                    name.format(word, "equal ones, one is called best"),
                    lambda s, b=best: b(s, shifts=[0.0, 0.0]) is not None,
                    0.05,
                    cost=3,
                )
            )
            if world is LOADS or word != "p99":
                claims.append(
                    Claim(
                        name.format(word, "one 5 % shorter is called best"),
                        lambda s, b=best: b(s, shifts=[-0.05, 0.0]) == "p-02",
                        None,
                        0.9,
                        cost=3,
                    )
                )
    return claims


RANKING_CLAIMS = ranking_claims()
