"""What every store does with nights, their cells and gates, and with baselines."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_runs import collected, make_run
from rkbench.errors import StoreError, UsageError
from rkbench.results.night import CellResult, Fault, GateResult, Night
from rkbench.store import Store, open_store
from rkbench.store.base import Baseline, GateState
from rkbench.store.lookup import find_night

FIRST, SECOND = "night-01kazjrv6g3yxqb5d8hn4t2wce", "night-01kazjrv6gq0f7m2c9s1d4k5w6"
PUSHES = {FIRST: "01kazk00000000000000000abc", SECOND: "01kazk00000000000000000xyz"}
GATE = GateResult("size <= 1GB", "size", "", "pass", ())


def save(store: Store, night_id: str, *, ended: bool = True, suite: str = "lab") -> Night:
    """Save a night with a good cell (the second) and one that failed (the first), in that order."""
    night = Night(night_id, suite, "f", 1000.0)
    store.save_night(night)
    run = collected(make_run(1, push=PUSHES[night_id]))
    good = CellResult("m", "fp16", "desk", "p", runs=(run.run.id,), measured_unix_s=1.0, gates=(GATE,))
    bad = CellResult(
        "m", "int8", "desk", "p", fault=Fault("gone"), gates=(replace(GATE, state="not measured"),)
    )
    store.save_cell(night, 1, good, [run])
    store.save_cell(night, 0, bad, [])
    night = replace(night, ended_unix_s=2000.0 if ended else None)
    store.save_night(night)
    return replace(night, cells=(bad, good))


def test_a_night_comes_back_with_its_cells_in_their_order(address: str) -> None:
    with open_store(address) as store:
        night = save(store, FIRST)
    with open_store(address) as store:
        assert store.night(FIRST) == night
        assert store.run(night.cells[1].runs[0]) is not None
        assert store.night(SECOND) is None


def test_a_cell_is_written_with_its_runs_or_not_at_all(address: str) -> None:
    with open_store(address) as store:
        night = save(store, FIRST)
        known, new = (collected(make_run(number, push=PUSHES[FIRST])) for number in (1, 2))
        with pytest.raises(StoreError):
            store.save_cell(night, 2, CellResult("m", "x", "desk", "p"), [new, known])
        assert store.night(FIRST) == night
        assert len(store.history()) == 1
        with pytest.raises(StoreError):
            store.save_cell(night, 1, CellResult("m", "x", "desk", "p"), [new])
        assert len(store.history()) == 1


def test_nights_are_listed_as_they_were_begun_the_last_first(address: str) -> None:
    with open_store(address) as store:
        assert store.nights() == []
        save(store, SECOND)
        save(store, FIRST, suite="other")
        assert store.nights() == [FIRST, SECOND]
        assert (store.nights(suite="lab"), store.nights(suite="none")) == ([SECOND], [])
        assert store.nights(limit=1) == [FIRST]


@pytest.mark.parametrize(
    "name", ["last", FIRST, "night-01kazjrv6g3", "night-4t2wce", "4t2wce", "0abc-01", "0ABC"]
)
def test_a_night_is_named_by_its_id_or_that_of_a_run(address: str, name: str) -> None:
    with open_store(address) as store:
        save(store, SECOND)
        save(store, FIRST)
        assert find_night(store, name).id == FIRST


@pytest.mark.parametrize(
    ("name", "words"),
    [("night-01", "fits several nights"), ("", "no night ''"), ("nothing", "no night 'nothing'")],
)
def test_a_name_that_fits_no_single_night_is_refused(address: str, name: str, words: str) -> None:
    with open_store(address) as store:
        save(store, SECOND)
        save(store, FIRST)
        with pytest.raises(UsageError, match=words):
            find_night(store, name)


def test_only_the_last_night_that_ended_tells_its_gates(address: str) -> None:
    with open_store(address) as store:
        assert store.latest_gates() == []
        save(store, FIRST)
        save(store, SECOND, ended=False)
        gates = store.latest_gates()
    place = ("lab", "m", "fp16", "desk", "p", "size <= 1GB")
    assert gates == [
        GateState(*place, "pass", False, 1.0),
        GateState("lab", "m", "int8", "desk", "p", "size <= 1GB", "not measured", False, None),
    ]


def test_the_baseline_accepted_last_is_in_force_real_and_simulated_apart(address: str) -> None:
    first = Baseline("lab", "fp16", "desk", "p", False, "a-01", FIRST, 5.0, "first")
    second = replace(first, run="b-01", note="second")
    simulated, other = replace(first, simulated=True), replace(first, suite="other")
    with open_store(address) as store:
        store.accept([first, other])
        store.accept([second, simulated])
    with open_store(address) as store:
        assert store.baselines("lab") == [second, simulated]
        assert store.baselines() == [second, simulated, other]
        assert store.baselines("none") == []
