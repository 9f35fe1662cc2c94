"""How a night begins: a new one, or one to go on with; its ids, and the baselines that it is held against."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from rkbench.campaign.plan import new_push_id
from rkbench.errors import UsageError
from rkbench.nightly.judge import AcceptedRun
from rkbench.nightly.measure import RETRY_PAUSE_S
from rkbench.runs.night import Night, NightListener, Told
from rkbench.store.nights import baselines, begin_night, unfinished_night
from rkbench.store.sqlite import Store

RESUME, FRESH = "resume", "fresh"
#: What was measured longer ago belongs to another night; `RESUME` goes on with it all the same.
RESUMED_WITHIN_S = 12 * 3600.0


@dataclass(frozen=True)
class Terms:
    """How a night is run. `start`: RESUME, FRESH, or "" to go on with a night of this very suite that its
    host did not end. `budget_s` None: no limit; cells that began are finished."""

    start: str = ""
    budget_s: float | None = None
    retry_pause_s: float = RETRY_PAUSE_S


class Ticker:
    """A wall clock that never gives the same millisecond twice, so that ids made of it differ."""

    def __init__(self, unix_s: Callable[[], float] = time.time) -> None:
        self._unix_s = unix_s
        self._given_ms: set[int] = set()
        self._lock = threading.Lock()

    def __call__(self) -> float:
        with self._lock:
            now_ms = int(self._unix_s() * 1000)
            while now_ms in self._given_ms:
                now_ms += 1
            self._given_ms.add(now_ms)
            return (now_ms + 0.5) / 1000


def begin(name: str, fingerprint: str, store: Store, terms: Terms, unix_s: Callable[[], float]) -> Night:
    """Return the night to go on with, or a new one, written into the store."""
    now_s = unix_s()
    open_night = unfinished_night(store, name, fingerprint) if terms.start != FRESH else None
    if open_night is not None and (
        terms.start == RESUME or abs(now_s - open_night.started_unix_s) < RESUMED_WITHIN_S
    ):
        return replace(open_night, resumed=open_night.resumed + 1, interrupted=False, problems=())
    if terms.start == RESUME:
        raise UsageError(
            f"no night of {name!r} to resume: the last one came to its end, or suite or models have changed",
            hint="leave --resume away",
        )
    night = Night(f"night-{new_push_id(now_s, random.SystemRandom())}", name, fingerprint, now_s)
    begin_night(store, night)
    return night


def load_references(
    store: Store, suite: str, listener: NightListener
) -> dict[tuple[str, str, str], tuple[AcceptedRun, ...]]:
    """Return the accepted baselines of `suite` with their raw latencies, by variant, board and plan."""
    found: dict[tuple[str, str, str], tuple[AcceptedRun, ...]] = {}
    for baseline in baselines(store, suite):
        try:
            run = store.run(baseline.run)
        except UsageError:
            listener(Told(None, f"the baseline {baseline.run} is no longer in the store"))
            continue
        key = (baseline.variant, baseline.board, baseline.plan)
        reference = AcceptedRun(run, store.latencies(run.id).timed_blocks())
        found[key] = (*found.get(key, ()), reference)
    return found
