"""What goes from every store when it is pruned, and what stays."""

from __future__ import annotations

from dataclasses import replace

from made_runs import collected, make_run
from rkbench.results.latencies import RawLatencies
from rkbench.results.night import CellResult, Night
from rkbench.store import Store, open_store
from rkbench.store.base import Baseline, LatestRun, RunTag

PUSH = "01kazk00000000000000000abc"
OLD, NEW = 1_700_000_000.0, 1_800_000_000.0
ENDED = Night("night-01kazjrv6g3yxqb5d8hn4t2wce", "lab", "f", 1000.0, 2000.0)
RUNNING = Night("night-01kazjrv6gq0f7m2c9s1d4k5w6", "lab", "f", 1000.0)


def fill(store: Store) -> list[str]:
    """Save a plain run, a tagged one, a baseline, one of each night, and one without a time."""
    items = [collected(make_run(number, push=PUSH)) for number in range(1, 6)]
    items.append(collected(make_run(6, push=PUSH, started_at="at some time")))
    ids = [item.run.id for item in items]
    store.save_all([items[0], items[1], items[2], items[5]])
    store.save_tags([RunTag(ids[1], "good", "", 1.0)])
    base = Baseline("lab", "fp16", "desk", "p", False, ids[0], "n", 1.0, "")
    store.accept([base])
    store.accept([replace(base, run=ids[2])])
    for night, number in ((ENDED, 3), (RUNNING, 4)):
        store.save_night(night)
        store.save_cell(night, 0, CellResult("m", "fp16", "desk", "p", runs=(ids[number],)), [items[number]])
    return ids


def test_what_somebody_needs_is_not_prunable(address: str) -> None:
    with open_store(address) as store:
        ids = fill(store)

        def found(before: float, *, after: int = 0, limit: int = 9) -> list[str]:
            runs = store.prunable(before, raw_only=False, after=after, limit=limit)
            return [run.run_id for run in runs]

        assert found(NEW) == [ids[0], ids[3]]
        assert found(OLD) == []
        assert found(NEW, limit=1) == [ids[0]]
        assert found(NEW, after=1) == [ids[3]]


def test_what_is_removed_goes_with_all_that_belongs_to_it(address: str) -> None:
    with open_store(address) as store:
        ids = fill(store)
        store.remove([ids[0], ids[3]], raw_only=False)
        assert store.known(ids) == frozenset(ids) - {ids[0], ids[3]}
        assert store.latencies(ids[0]) == RawLatencies()
        assert len(store.history()) == 4
        assert store.remove_nights(999.0) == 0
        assert store.remove_nights(NEW) == 1
        assert store.nights() == [RUNNING.id]


def test_raw_latencies_may_go_alone(address: str) -> None:
    with open_store(address) as store:
        ids = fill(store)
        row = store.history()
        store.remove([ids[0]], raw_only=True)
        assert (store.latencies(ids[0]), store.readings(ids[0])) == (RawLatencies(), [])
        assert store.history() == row
        assert [run.run_id for run in store.prunable(NEW, raw_only=True, after=0, limit=9)] == [ids[3]]
        assert store.remove_nights(NEW) == 0


def test_a_place_is_not_given_again(address: str) -> None:
    if address.startswith("memory"):
        return  # which counts
    with open_store(address) as store:
        fill(store)
        newest = store.mark().last
        store.remove([newest.run_id], raw_only=False)
        store.save(collected(make_run(9, push=PUSH)))
        assert store.mark().last == LatestRun(newest.position + 1, f"{PUSH}-09")
