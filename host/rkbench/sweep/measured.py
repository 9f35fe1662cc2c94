"""What of a sweep was measured before: runs of the same file that were asked the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, replace

from rkbench.campaign.demands import reads_of
from rkbench.campaign.settings import PushOptions
from rkbench.files import local_file
from rkbench.results.collect import Collected
from rkbench.results.gating import with_requirements
from rkbench.results.measures import QUANTITIES
from rkbench.stats.gates import Gate
from rkbench.store import Store

FORM = "rkbench-question/1"


def with_question(options: PushOptions, models: Collection[str] = ()) -> PushOptions:
    """Return options whose runs will be known again by what was asked of them.

    That is the settings, what requirements and `minimize` read, and the golden; `models`: the digests of
    those that took turns.
    """
    quantities = [gate.quantity for gate in options.gates]
    quantities += [QUANTITIES[options.minimize]] if options.minimize else []
    asked = {
        "form": FORM,
        "settings": asdict(options.settings),
        "reads": asdict(reads_of(quantities)),
        "golden": local_file(options.golden).sha256 if options.golden else None,
        "minimize": options.minimize,
        "models": sorted(models),
    }
    text = json.dumps(asked, sort_keys=True, default=str)
    return replace(options, question=hashlib.sha256(text.encode()).hexdigest()[:32])


def measured_before(
    store: Store, sha256: str, boards: Collection[str], question: str, gates: Sequence[Gate]
) -> Collected | None:
    """Return the newest whole run of a file that was asked `question` on one of `boards`; None: none was.

    It is held against `gates` anew: a limit may have changed since.
    """
    for row in store.history(model=sha256):
        if row.board not in boards or row.failed or row.partial:
            continue
        run = store.run(row.run)
        if run is not None and run.plan.question == question:
            latencies, readings = store.latencies(run.id), tuple(store.readings(run.id))
            return with_requirements(Collected(run, latencies, readings), gates)
    return None
