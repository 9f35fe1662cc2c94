"""How a night begins: a new one, or one to go on with; its ids, and the baselines that it is held against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from rkbench.errors import UsageError
from rkbench.nightly.judge import AcceptedRun
from rkbench.nightly.kept import KeptModels
from rkbench.nightly.measuring import RETRY_PAUSE_S
from rkbench.results.ids import new_night_id
from rkbench.results.night import Night, NightListener, Told
from rkbench.store import Store

RESUME, FRESH = "resume", "fresh"
#: What was measured longer ago belongs to another night; `RESUME` goes on with it all the same.
RESUMED_WITHIN_S = 12 * 3600.0
#: After the end of a time budget, loading and releasing may take so long beside the measuring.
BUDGET_GRACE_S = 15.0


@dataclass(frozen=True)
class Terms:
    """How a night is run. `start`: RESUME, FRESH, or "" to go on with a night of this very suite that its
    host did not end. `budget_s` None: no limit; cells that began are finished, if that takes no longer than
    their duration and `budget_grace_s`. `priority`: who of those that wait for a board comes first."""

    start: str = ""
    budget_s: float | None = None
    retry_pause_s: float = RETRY_PAUSE_S
    budget_grace_s: float = BUDGET_GRACE_S
    priority: int = 0


def begin(name: str, fingerprint: str, store: Store, terms: Terms, unix_s: Callable[[], float]) -> Night:
    """Return the night to go on with, or a new one, written into the store."""
    now_s = unix_s()
    open_night = to_go_on_with(name, fingerprint, store, terms, now_s)
    if open_night is not None:
        return replace(open_night, resumed=open_night.resumed + 1, interrupted=False, problems=())
    if terms.start == RESUME:
        raise UsageError(
            f"no night of {name!r} to resume: the last one came to its end, or suite or models have changed",
            hint="leave --resume away",
        )
    night = Night(new_night_id(now_s), name, fingerprint, now_s)
    store.save_night(night)
    return night


def to_go_on_with(name: str, fingerprint: str, store: Store, terms: Terms, now_s: float) -> Night | None:
    """Return the night of this very suite that broke off, where `terms` say to go on with it."""
    if terms.start == FRESH:
        return None
    found = _unfinished(store, name, fingerprint)
    if found is None or terms.start == RESUME or abs(now_s - found.started_unix_s) < RESUMED_WITHIN_S:
        return found
    return None


def load_references(
    store: Store, suite: str, listener: NightListener
) -> dict[tuple[str, str, str], tuple[AcceptedRun, ...]]:
    """Return the accepted baselines of `suite` with their raw latencies and where their models are kept, by
    variant, board and plan."""
    kept = KeptModels(store.address)
    found: dict[tuple[str, str, str], tuple[AcceptedRun, ...]] = {}
    for baseline in store.baselines(suite):
        run = store.run(baseline.run)
        if run is None:
            listener(Told(None, f"the baseline {baseline.run} is no longer in the store"))
            continue
        key = (baseline.variant, baseline.board, baseline.plan)
        reference = AcceptedRun(run, store.latencies(run.id), kept.find(run.variant.sha256))
        found[key] = (*found.get(key, ()), reference)
    return found


def _unfinished(store: Store, suite: str, fingerprint: str) -> Night | None:
    """Return the newest night of this very suite, if it did not come to its end."""
    newest = store.nights(suite=suite, limit=1)
    night = store.night(newest[0]) if newest else None
    if night is None or night.fingerprint != fingerprint or night.ended_unix_s is not None:
        return None
    return night
